/** The walks of those who share them cost at most this share of the time. */
const MAX_DUTY = 0.01;
/** Who has not asked for so long does not want its turn any more. */
const FORGOTTEN_MS = 60_000;

/** Shares the time for dear walks among network namespaces: whoever waits longest has the next turn. */
export class WalkTurns {
  readonly #now: () => number;
  readonly #waiting = new Map<object, { readonly sinceMs: number; askedMs: number }>();
  #dueAtMs = Number.NEGATIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether it is the turn of `who`, who waits from now on if it is not. */
  ask(who: object): boolean {
    const now = this.#now();
    const own = this.#waiting.get(who) ?? { sinceMs: now, askedMs: now };
    this.#waiting.set(who, own);
    own.askedMs = now;
    if (now < this.#dueAtMs) return false;
    for (const [other, { sinceMs, askedMs }] of this.#waiting) {
      if (now - askedMs > FORGOTTEN_MS) this.#waiting.delete(other);
      else if (sinceMs < own.sinceMs) return false;
    }
    return true;
  }

  /** Its walk is done, and took so long. */
  took(who: object, milliseconds: number): void {
    this.#waiting.delete(who);
    this.#dueAtMs = this.#now() + milliseconds / MAX_DUTY;
  }
}
