/** Of the longest untouched ones that many are looked at to find the one that is missed least. */
const CANDIDATES = 32;

export interface Counted<T> {
  readonly key: T;
  readonly count: number;
  /** When it last rose, by monotonicMs(). */
  readonly lastAtMs: number;
}

/**
 * Counts by key, at most so many: for a new one, the smallest of those that rose longest ago is given up. One that comes back
 * begins anew, as a counter does after a restart.
 */
export class BoundedCounts<T> {
  readonly #limit: number;
  readonly #textOf: (key: T) => string;
  /** Those that rose longest ago first. */
  readonly #counts = new Map<string, Counted<T>>();
  #evicted = 0;

  /** @param textOf the same text for the same key, and for no other */
  constructor(limit: number, textOf: (key: T) => string) {
    this.#limit = limit;
    this.#textOf = textOf;
  }

  /** Keys given up so far. */
  get evicted(): number {
    return this.#evicted;
  }

  add(key: T, count: number, nowMs: number): void {
    const text = this.#textOf(key);
    const known = this.#counts.get(text);
    this.#counts.delete(text);
    if (known === undefined && this.#counts.size >= this.#limit) this.#evict();
    this.#counts.set(text, { key, count: (known?.count ?? 0) + count, lastAtMs: nowMs });
  }

  /** Those that rose last first, and of the same moment those with most. */
  all(): Counted<T>[] {
    return [...this.#counts.values()].toSorted((a, b) => b.lastAtMs - a.lastAtMs || b.count - a.count);
  }

  #evict(): void {
    let least: [text: string, count: number] | undefined;
    let looked = 0;
    for (const [text, { count }] of this.#counts) {
      if (looked++ === CANDIDATES) break;
      if (least === undefined || count < least[1]) least = [text, count];
    }
    if (least === undefined) return;
    this.#counts.delete(least[0]);
    this.#evicted += 1;
  }
}
