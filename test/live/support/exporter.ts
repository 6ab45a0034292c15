import { onTestFinished } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { createExposition } from '../../../src/metrics/exposition.ts';
import type { SamplingOptions } from '../../../src/sampling/samplingOptions.ts';
import { openSession, type SamplingSession } from '../../../src/sampling/session.ts';
import type { Snapshot } from '../../../src/snapshot/snapshot.ts';
import { parseExposition, type Series } from '../../support/exposition.ts';

const SETTINGS = {
  intervalMs: 5000,
  maxDuty: 0.05,
  hasBudget: true,
  source: 'netlink',
  limits: { destinations: 1000, localAddresses: 1000, listeners: 1000, owners: 1000 },
  peakWindowMs: 60_000,
  procfs: '/proc',
  sysfs: '/sys',
  // Tests want an answer, however slow the machine is.
  processBudgetMs: 20_000,
  destinationOwners: true,
  canary: true,
  namespaces: 'self',
  namespacesLimit: 500,
  fullDumpAbove: 0.05,
} as const;

type Labels = Readonly<Record<string, string | number>>;

/** The exporter in the namespace this thread is in now, read as a scrape would read it. */
export class Exporter {
  readonly #rounds: SamplingSession;
  readonly #exposition = createExposition({ withProcess: false });
  #series: Series[] = [];
  #text = '';

  constructor(settings: Partial<SamplingOptions> = {}) {
    this.#rounds = openSession({ ...SETTINGS, ...settings }, silentLogger);
  }

  /** What a scrape of the last sample would read. */
  get text(): string {
    return this.#text;
  }

  /** Takes a sample and exposes it. */
  async sample(): Promise<Snapshot> {
    const snapshot = this.sampleOnly();
    this.#text = await this.#exposition.render({ kind: 'sampled', snapshot }, 'text');
    this.#series = parseExposition(this.#text);
    return snapshot;
  }

  /** Takes a sample of which every collector must succeed. */
  sampleOnly(): Snapshot {
    const snapshot = this.#rounds.sample();
    for (const { collector, error } of snapshot.namespaces.flatMap(({ collectors }) => collectors)) {
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
    this.#rounds.close();
  }
}

/** An exporter that ends with the test. */
export function newExporter(settings: Partial<SamplingOptions> = {}): Exporter {
  const exporter = new Exporter(settings);
  onTestFinished(() => exporter.close());
  return exporter;
}

/** As above, with its first sample. */
export async function sampled(settings: Partial<SamplingOptions> = {}): Promise<Exporter> {
  const exporter = newExporter(settings);
  await exporter.sample();
  return exporter;
}

/** What was calculated is what the kernel says at once, in every scenario that is sampled. */
function expectCanaryAgrees({ namespaces }: Snapshot): void {
  for (const { protocol, family, succeeded, error, calculated, disagrees } of namespaces.flatMap(
    ({ canary }) => canary,
  )) {
    if (disagrees)
      throw new Error(
        `${protocol} ${family}: ${calculated} ports calculated, the kernel ${succeeded ? 'gave one' : `said ${error}`}`,
      );
  }
}
