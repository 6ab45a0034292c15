import { Counter, Gauge } from 'prom-client';

type Labels = Readonly<Record<string, string | number>>;

/**
 * A gauge of prom-client's whose series are a list. Its own keeps them in a map by a text made of their labels, which is
 * more than half of what it costs to show thousands that are painted once and read once.
 */
export class SeriesGauge extends Gauge<string> {
  readonly painted = new PaintedSeries();

  override async get() {
    return this.painted.insteadOf(super.get());
  }
}

/** A counter of prom-client's whose series are a list. */
export class SeriesCounter extends Counter<string> {
  readonly painted = new PaintedSeries();

  override async get() {
    return this.painted.insteadOf(super.get());
  }
}

class PaintedSeries {
  #values: PaintedValue[] = [];

  /** Labels that are the same object as those of other series are written out once for all of them. */
  add(labels: Labels, value: number): void {
    this.#values.push({ value, labels: NO_LABELS, sharedLabels: labels });
  }

  clear(): void {
    this.#values = [];
  }

  /** What is painted now, even if it is cleared before prom-client gets it. */
  async insteadOf<Shown extends object>(shown: Promise<Shown>): Promise<Shown & { values: PaintedValue[] }> {
    const values = this.#values;
    return { ...(await shown), values };
  }
}

/** A value in the form in which prom-client's histograms hand over the labels that their buckets have in common. */
interface PaintedValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, never>>;
  readonly sharedLabels: Labels;
}

const NO_LABELS = {};
