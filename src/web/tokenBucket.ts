/** How many tokens a bucket holds, at least 1, and in how many milliseconds, more than 0, one comes back. */
export interface Rate {
  readonly burst: number;
  readonly intervalMs: number;
}

/** Full at first. As golang.org/x/time/rate, which exporter-toolkit limits requests with. */
export class TokenBucket {
  /** When the last one was taken. */
  #tokens = Number.POSITIVE_INFINITY;
  #takenAtMs = 0;

  /**
   * Takes a token, and returns 0; where there is none, the milliseconds until there is one.
   *
   * @param rate that in force now: with another one the tokens stay, as far as they fit
   * @param nowMs of a clock that never goes back
   */
  take({ burst, intervalMs }: Rate, nowMs: number): number {
    const tokens = Math.min(burst, this.#tokens + (nowMs - this.#takenAtMs) / intervalMs);
    if (tokens < 1) return (1 - tokens) * intervalMs;
    this.#tokens = tokens - 1;
    this.#takenAtMs = nowMs;
    return 0;
  }
}
