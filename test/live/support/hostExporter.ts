import { afterEach } from 'vitest';
import { createExposition } from '../../../src/metrics/exposition.ts';
import type { SamplingOptions } from '../../../src/sampling/samplingOptions.ts';
import { openSession, type SamplingSession } from '../../../src/sampling/session.ts';
import type { Snapshot } from '../../../src/snapshot/snapshot.ts';
import { CollectorReporter } from '../../../src/supervisor/collectorReporter.ts';
import { recordingLogger } from '../../sampling/fakes.ts';
import { parseExposition, type Series } from '../../support/exposition.ts';
import { samplingOptions } from '../../support/samplingOptions.ts';
import { NAME_PREFIX } from './namedNamespace.ts';

const OPTIONS = samplingOptions({
  namespaces: new RegExp(`^(?:${NAME_PREFIX}.*)$`, 'u'),
  fullDumpAbove: 0,
});

const open = new Set<HostExporter>();
afterEach(() => {
  for (const exporter of open) exporter.close();
});

type Labels = Readonly<Record<string, string | number>>;

/** The exporter in the namespace this thread is in now, and with a view of this process's others; ends with the test. */
export class HostExporter {
  /** What it logged, but for the obstacles of a machine on which not all processes can be seen. */
  readonly lines: (readonly [string, string, unknown])[];
  readonly #reporter: CollectorReporter;
  readonly #session: SamplingSession;
  readonly #exposition = createExposition({ withProcess: false });
  #series: Series[] = [];

  constructor(options: Partial<SamplingOptions> = {}) {
    const { log, lines } = recordingLogger();
    this.lines = lines;
    this.#reporter = new CollectorReporter(log);
    this.#session = openSession({ ...OPTIONS, ...options }, log);
    open.add(this);
  }

  /** Takes a sample and exposes it. */
  async sample(): Promise<Snapshot> {
    const snapshot = this.#session.sample();
    this.#reporter.report(snapshot);
    this.#series = parseExposition(
      await this.#exposition.render({ kind: 'sampled', snapshot, receivedAtMs: 0 }, 'text'),
    );
    return snapshot;
  }

  /** The one series of this name with these labels; undefined where there is none. */
  value(name: string, labels: Labels): number | undefined {
    const found = this.series(name, labels);
    if (found.length > 1) throw new Error(`${found.length} series of ${name} with ${JSON.stringify(labels)}`);
    return found[0]?.value;
  }

  /** Every series of this name with these labels. */
  series(name: string, labels: Labels = {}): Series[] {
    return this.#series.filter(
      (series) =>
        series.name === name &&
        Object.entries(labels).every(([label, value]) => series.labels[label] === String(value)),
    );
  }

  close(): void {
    if (open.delete(this)) this.#session.close();
  }
}
