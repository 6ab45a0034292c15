import type { Registry } from 'prom-client';
import { SeriesGauge } from './paintedSeries.ts';

/** A gauge that shows nothing until it is painted, and whose series are painted anew for every scrape. */
export class PaintedGauge<Label extends string = never> {
  readonly name: string;
  readonly #gauge: SeriesGauge;

  constructor(
    registers: Registry[],
    {
      name,
      help,
      labels = [],
      optionalLabels = [],
    }: {
      readonly name: string;
      readonly help: string;
      readonly labels?: readonly Label[];
      /** Labels that only some of its series have. */
      readonly optionalLabels?: readonly string[];
    },
  ) {
    this.name = name;
    this.#gauge = new SeriesGauge({ name, help, labelNames: [...labels, ...optionalLabels], registers });
  }

  set(labels: Readonly<Record<Label, string | number>>, value: number): void {
    this.#gauge.painted.add(labels, value);
  }

  /** Shows nothing where the value is not known. */
  setKnown(labels: Readonly<Record<Label, string | number>>, value: number | undefined): void {
    if (value !== undefined) this.set(labels, value);
  }

  clear(): void {
    this.#gauge.painted.clear();
  }
}
