import { onTestFinished } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { createExposition } from '../../../src/metrics/exposition.ts';
import type { SamplingOptions } from '../../../src/sampling/samplingOptions.ts';
import { openSession, type SamplingSession } from '../../../src/sampling/session.ts';
import { fullResults } from '../../../src/snapshot/sample.ts';
import type { Snapshot } from '../../../src/snapshot/snapshot.ts';
import { parseExposition, type Series } from '../../support/exposition.ts';
import { samplingOptions } from '../../support/samplingOptions.ts';

// Tests want an answer, however slow the machine is.
const OPTIONS = samplingOptions({ maxDuty: 0.05, processBudgetMs: 20_000 });

type Labels = Readonly<Record<string, string | number>>;

/** The exporter in the namespace this thread is in now, read as a scrape would read it. */
export class Exporter {
  readonly #session: SamplingSession;
  readonly #exposition = createExposition({ withProcess: false });
  #series: Series[] = [];
  #text = '';

  constructor(options: Partial<SamplingOptions> = {}) {
    this.#session = openSession({ ...OPTIONS, ...options }, silentLogger);
  }

  /** What a scrape of the last sample would read. */
  get text(): string {
    return this.#text;
  }

  /** Takes a sample and exposes it. */
  async sample(): Promise<Snapshot> {
    const snapshot = this.sampleOnly();
    this.#text = await this.#exposition.render({ kind: 'sampled', snapshot, receivedAtMs: 0 }, 'text');
    this.#series = parseExposition(this.#text);
    return snapshot;
  }

  /** Takes a sample of which every collector must succeed. */
  sampleOnly(): Snapshot {
    const snapshot = this.#session.sample();
    for (const { collector, error } of snapshot.namespaces.flatMap(({ outcomes }) => outcomes)) {
      if (error !== undefined) throw new Error(`collector ${collector}: ${error}`);
    }
    expectCanaryAgrees(snapshot);
    return snapshot;
  }

  /** The one series of this name with these labels; undefined where there is none. */
  value(name: string, labels: Labels = {}): number | undefined {
    const found = this.values(name, labels);
    if (found.length > 1) throw new Error(`${found.length} series of ${name} with ${JSON.stringify(labels)}`);
    return found[0];
  }

  /** Every series of this name with these labels. */
  values(name: string, labels: Labels = {}): number[] {
    return this.series(name, labels).map(({ value }) => value);
  }

  /** Every series of this name with these labels, whole. */
  series(name: string, labels: Labels = {}): Series[] {
    return this.#series.filter(
      (series) =>
        series.name === name &&
        Object.entries(labels).every(([label, value]) => series.labels[label] === String(value)),
    );
  }

  close(): void {
    this.#session.close();
  }
}

/** An exporter that ends with the test. */
export function newExporter(options: Partial<SamplingOptions> = {}): Exporter {
  const exporter = new Exporter(options);
  onTestFinished(() => exporter.close());
  return exporter;
}

/** An exporter that ends with the test, with its first sample. */
export async function sampled(options: Partial<SamplingOptions> = {}): Promise<Exporter> {
  const exporter = newExporter(options);
  await exporter.sample();
  return exporter;
}

/** What was calculated is what the kernel says at once, in every scenario that is sampled. */
function expectCanaryAgrees({ namespaces }: Snapshot): void {
  for (const { protocol, family, succeeded, error, calculated, disagrees } of namespaces.flatMap(
    (namespace) => fullResults(namespace).canary ?? [],
  )) {
    if (disagrees)
      throw new Error(
        `${protocol} ${family}: ${calculated} ports calculated, the kernel ${succeeded ? 'gave one' : `said ${error}`}`,
      );
  }
}
