/**
 * Runs inside the namespace and takes whole samples without the worker thread. A line "<count>" on stdin is answered with
 * one line of JSON, `SampleRun[]`. With the argument `--namespaces <regexp>` it samples others too, with `--each-whole`
 * all sockets of each; with `--without-owners` it attributes nothing to anybody; with `--source` it reads from another
 * source than the exporter would choose here.
 *
 * ADAPTER: the only file of the bench that knows how the built exporter takes a sample.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { silentLogger } from '../../src/base/logger.ts';
import type { SamplingOptions } from '../../src/sampling/samplingOptions.ts';
import { fullResults } from '../../src/snapshot/sample.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { samplingOptions } from '../support/samplingOptions.ts';
import { builtPart } from './built.ts';

export interface SampleRun {
  readonly seconds: number;
  /** TCP sockets seen. */
  readonly sockets: number;
  /** Of all that looks at tracked connections, in all namespaces. */
  readonly snat: {
    readonly seconds: number;
    /** Of connection tracking, as it counts them. */
    readonly entries: number;
    /** Dumps that the kernel was asked for. */
    readonly walks: number;
  };
}

const { values } = parseArgs({
  options: {
    namespaces: { type: 'string' },
    'each-whole': { type: 'boolean', default: false },
    'without-owners': { type: 'boolean', default: false },
    source: { type: 'string', default: 'auto' },
  },
});

const SETTINGS = samplingOptions({
  source: values.source as SamplingOptions['source'],
  maxDuty: 0.05,
  limits: { destinations: 20, localAddresses: 20, listeners: 500, owners: 20, snat: 20 },
  processBudgetMs: 100,
  namespaces: values.namespaces === undefined ? 'self' : new RegExp(`^(?:${values.namespaces})$`, 'u'),
});
const WITHOUT_OWNERS: SamplingOptions = {
  ...SETTINGS,
  limits: { ...SETTINGS.limits, owners: 0 },
  processBudgetMs: 0,
  destinationOwners: false,
};
/** As an exporter would that knew no better. */
const EACH_WHOLE = { ...SETTINGS, fullDumpAbove: 0, hasBudget: false };

let walks = 0;
await countBuiltWalks();
const session = await openBuiltSession();
for await (const line of createInterface({ input: process.stdin })) {
  const runs: SampleRun[] = [];
  for (let i = 0; i < Number(line); i++) {
    walks = 0;
    const start = performance.now();
    const snapshot = session.sample();
    const seconds = (performance.now() - start) / 1000;
    runs.push({ seconds, sockets: socketsIn(snapshot), snat: { ...trackedIn(snapshot), walks } });
  }
  console.log(JSON.stringify(runs));
}

async function openBuiltSession() {
  const { openSession } = await builtPart<typeof import('../../src/sampling/session.ts')>('session');
  const attributed = values['without-owners'] ? WITHOUT_OWNERS : SETTINGS;
  return openSession(values['each-whole'] ? EACH_WHOLE : attributed, silentLogger);
}

/** Every walk of tracked connections is one call of this. */
async function countBuiltWalks(): Promise<void> {
  const { ConntrackReader } =
    await builtPart<typeof import('../../src/sampling/conntrackReader.ts')>('conntrackReader');
  const { dump } = ConntrackReader.prototype;
  ConntrackReader.prototype.dump = function (...args) {
    walks++;
    return dump.apply(this, args);
  };
}

function trackedIn({ namespaces }: Snapshot): Omit<SampleRun['snat'], 'walks'> {
  const looked = namespaces
    .flatMap(({ outcomes }) => outcomes)
    .filter(({ collector }) => collector === 'conntrack' || collector === 'snat');
  return {
    seconds: looked.reduce((sum, { seconds }) => sum + seconds, 0),
    entries: namespaces.reduce((sum, { results }) => sum + (results.conntrack?.entries ?? 0), 0),
  };
}

function socketsIn(snapshot: Snapshot): number {
  for (const { outcomes } of snapshot.namespaces) {
    // Not every process of the machine may be seen by whoever runs the bench.
    const failed = outcomes.find(({ collector, error }) => error !== undefined && collector !== 'enter');
    if (failed !== undefined) throw new Error(`collector ${failed.collector}: ${failed.error}`);
  }
  return snapshot.namespaces.reduce(
    (sum, namespace) => sum + (fullResults(namespace).tcp?.sampledSockets ?? 0),
    0,
  );
}
