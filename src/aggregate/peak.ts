/** The highest value of the last `windowMs`. Keeps only values that can still become the highest. */
export class PeakWindow {
  readonly #windowMs: number;
  /** Falling values, rising times. */
  #entries: { readonly atMs: number; readonly value: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Adds a value seen at `atMs`, by bootTimeMs() → the highest of the window that ends there. */
  add(atMs: number, value: number): number {
    const kept = this.#entries.filter((entry) => entry.value > value && entry.atMs > atMs - this.#windowMs);
    kept.push({ atMs, value });
    this.#entries = kept;
    return (kept[0] ?? { value }).value;
  }
}
