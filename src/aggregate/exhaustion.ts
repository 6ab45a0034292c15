/** One of the four regimes (protocol × connect or bind), at its worst key. */
export interface Regime {
  /** Further calls that succeed for the worst key. */
  readonly available: number;
  /** 0 nobody uses a port, 1 the next call fails. */
  readonly ratio: number;
}

/** Exhaustion where `available` of `usable` ports are left. A dump is not atomic: what it counted twice is cut off at 0. */
export function regime(available: number, usable: number): Regime {
  const left = Math.min(Math.max(available, 0), usable);
  return { available: left, ratio: left === 0 ? 1 : 1 - left / usable };
}
