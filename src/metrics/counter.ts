import type { Registry } from 'prom-client';
import { SeriesCounter } from './paintedSeries.ts';

/**
 * A counter whose values the kernel counts: painted anew for every scrape. One of prom-client's for each registry: to
 * render a counter as OpenMetrics takes the `_total` off its name for good.
 */
export class PaintedCounter<Label extends string> {
  readonly #counters: readonly SeriesCounter[];

  constructor(
    registers: Registry[],
    { name, help, labels }: { name: string; help: string; labels: readonly Label[] },
  ) {
    this.#counters = registers.map(
      (register) => new SeriesCounter({ name, help, labelNames: [...labels], registers: [register] }),
    );
  }

  /** Shows nothing where the value is not known. */
  setKnown(labels: Record<Label, string | number>, value: number | undefined): void {
    if (value === undefined) return;
    for (const counter of this.#counters) counter.painted.add(labels, value);
  }

  clear(): void {
    for (const counter of this.#counters) counter.painted.clear();
  }
}
