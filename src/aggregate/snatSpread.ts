import { EVICTING_TRIES, windowsOf } from './snatRefusals.ts';

/** How a range of SNAT is used towards one destination. */
export interface SnatUse {
  /** Ports of the range. */
  readonly count: number;
  readonly used: number;
  /** Of the used ones, those of connections that the kernel may end for a new one. */
  readonly evictable: number;
}

/**
 * What `refusalRatio` would be, on average, with the same ports used anywhere in the range: the least that `random` or
 * `fully-random` can achieve, since what the kernel finds next to a used port is less scattered. Windows are taken for
 * independent, which in a range of 1000 ports tells up to a fifth too little.
 */
export function spreadRefusalRatio({ count, used, evictable }: SnatUse, evicts: boolean): number {
  return windowsOf(count).reduce((ratio, length) => {
    const kept = evicts ? notEvicted(Math.min(length, EVICTING_TRIES), used, evictable) : 1;
    return ratio * allUsed(length, count, used) * kept;
  }, 1);
}

/** Chance that so many ports, drawn from `count`, are all used. */
function allUsed(drawn: number, count: number, used: number): number {
  let chance = 1;
  for (let nth = 0; nth < drawn; nth++) chance *= Math.max(0, used - nth) / (count - nth);
  return chance;
}

/** Chance that none of the evictable ones among so many used ports is ended: each is with one half. */
function notEvicted(drawn: number, used: number, evictable: number): number {
  // By how many of those drawn so far are evictable.
  let chances = [1];
  for (let nth = 0; nth < Math.min(drawn, used); nth++) {
    const next = Array.from({ length: nth + 2 }, () => 0);
    for (const [met, chance] of chances.entries()) {
      const share = Math.max(0, evictable - met) / (used - nth);
      next[met + 1] = (next[met + 1] as number) + chance * share;
      next[met] = (next[met] as number) + chance * (1 - share);
    }
    chances = next;
  }
  return chances.reduce((sum, chance, met) => sum + chance * 2 ** -met, 0);
}
