import { releaseAtLeast } from '../kernel/release.ts';

/** What holds one port of the range towards one destination: a byte of these bits, 0 where it is free. */
export const Held = {
  HELD: 1,
  /** By something established, or in TIME_WAIT. */
  ESTABLISHED: 2,
  TIME_WAIT: 4,
  /** By something that no new connection may end. */
  FIRM: 8,
} as const;

/** NF_NAT_MAX_ATTEMPTS and NF_NAT_HARDER_THRESH of `net/netfilter/nf_nat_core.c`. */
const LONGEST_WINDOW = 128;
const SHORTEST_WINDOW = 8;
export const EVICTING_TRIES = 32;
/** The kernel's offset is a u16, and wraps. */
const OFFSETS = 65_536;

/**
 * Share of new packets that find no port, and are dropped: of those whose own port is not kept. The kernel tries windows of
 * consecutive ports, each from a random offset: 128, 64, 32, 16 and 8 of them, or all ports once where there are no more
 * than 128. In the last 32 tries of a window it may end a connection that is closing instead, if the sequence number has
 * advanced: half of the time for connections that have nothing to do with each other.
 *
 * @param held for each port of the range a byte of `Held`
 * @param count of ports in the range
 * @param evicts whether the kernel ends closing connections
 */
export function refusalRatio(held: Uint8Array, count: number, evicts: boolean): number {
  // As offsets go on: from the last port to the first.
  for (let offset = 0; offset < count + LONGEST_WINDOW; offset++)
    LINE[offset] = held[offset % count] as number;
  let ratio = 1;
  for (const length of windowsOf(count)) {
    ratio *= refusedOffsets(count, { length, evicts }) / OFFSETS;
    if (ratio === 0) return 0;
  }
  return ratio;
}

/** Kernels since 6.5 do (`nf_nat_used_tuple_harder()`), but never for UDP. */
export function evictsClosing(kernelRelease: string): boolean {
  return releaseAtLeast(kernelRelease, 6, 5);
}

const LINE = new Uint8Array(OFFSETS + LONGEST_WINDOW);
const WRAPPING = new Uint8Array(2 * LONGEST_WINDOW);

/** Lengths of the windows that are tried one after the other in a range of so many ports. */
export function windowsOf(count: number): number[] {
  if (count <= LONGEST_WINDOW) return [count];
  const lengths: number[] = [];
  for (let length = LONGEST_WINDOW; length >= SHORTEST_WINDOW; length /= 2) lengths.push(length);
  return lengths;
}

interface Window {
  readonly length: number;
  readonly evicts: boolean;
}

/**
 * Of all offsets, those from which a window finds nothing, by the chance that it ends nothing either. They repeat themselves
 * after as many as there are ports, but for those whose window wraps.
 */
function refusedOffsets(count: number, window: Window): number {
  const unwrapped = OFFSETS - window.length + 1;
  const periods = Math.floor(unwrapped / count);
  for (let at = 0; at < 2 * window.length; at++) {
    WRAPPING[at] = LINE[((unwrapped + at) % OFFSETS) % count] as number;
  }
  return (
    (periods === 0 ? 0 : periods * refusedFirst(LINE, count, window)) +
    refusedFirst(LINE, unwrapped % count, window) +
    refusedFirst(WRAPPING, window.length - 1, window)
  );
}

/** The same of the first `offsets` of a line: slides the window over it. */
function refusedFirst(line: Uint8Array, offsets: number, { length, evicts }: Window): number {
  const evicting = length - Math.min(length, EVICTING_TRIES);
  let free = 0;
  let evictable = 0;
  for (let at = 0; at < length; at++) {
    free += Number(line[at] === 0);
    if (at >= evicting) evictable += Number(isEvictable(line[at] as number));
  }
  let sum = 0;
  for (let first = 0; first < offsets; first++) {
    if (free === 0) sum += evicts && evictable > 0 ? 2 ** -evictable : 1;
    const next = line[first + length] as number;
    if (line[first] === 0) free--;
    if (next === 0) free++;
    if (isEvictable(line[first + evicting] as number)) evictable--;
    if (isEvictable(next)) evictable++;
  }
  return sum;
}

function isEvictable(port: number): boolean {
  return port !== 0 && (port & Held.FIRM) === 0;
}
