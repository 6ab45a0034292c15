/** One of the four regimes (protocol × connect or bind), at its worst key. */
export interface Regime {
  /** Further calls that succeed for the worst key; the most likely number where it is not certain. */
  readonly available: number;
  /** Calls that certainly succeed, where some ports may or may not be blocked; undefined where all of `available` do. */
  readonly availableAtLeast?: number;
  /** 0 nobody uses a port, 1 the next call fails. */
  readonly ratio: number;
}

/** Exhaustion where `available` of `usable` ports are left. A dump is not atomic: what it counted twice is cut off at 0. */
export function regime(available: number, usable: number, availableAtLeast = available): Regime {
  const left = Math.min(Math.max(available, 0), usable);
  const least = Math.min(Math.max(availableAtLeast, 0), left);
  return {
    available: left,
    ratio: left === 0 ? 1 : 1 - left / usable,
    ...(least < left ? { availableAtLeast: least } : {}),
  };
}

/** Further calls that succeed for certain. */
export function leastAvailable({ available, availableAtLeast = available }: Omit<Regime, 'ratio'>): number {
  return availableAtLeast;
}
