import { Gauge, type Registry } from 'prom-client';

/** A gauge that shows nothing until it is painted, and whose series are painted anew for every scrape. */
export class PaintedGauge<Label extends string = never> {
  readonly name: string;
  readonly #gauge: Gauge<Label>;
  readonly #hasLabels: boolean;

  constructor(
    registers: Registry[],
    { name, help, labels = [] }: { name: string; help: string; labels?: readonly Label[] },
  ) {
    this.name = name;
    this.#hasLabels = labels.length > 0;
    this.#gauge = new Gauge({ name, help, labelNames: [...labels], registers });
    this.clear();
  }

  set(labels: Record<Label, string | number>, value: number): void {
    this.#gauge.set(labels, value);
  }

  clear(): void {
    // reset() would leave a 0 behind where there are no labels.
    if (this.#hasLabels) this.#gauge.reset();
    else this.#gauge.remove();
  }
}
