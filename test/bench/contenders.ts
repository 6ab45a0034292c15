import { fileURLToPath } from 'node:url';
import { BenchError } from './benchError.ts';
import { peakMemory } from './memory.ts';
import type { Namespace } from './namespace.ts';
import type { SampleRun } from './sampleRunner.ts';
import { Scraping } from './scraping.ts';

/** One of the programs that are timed against each other on the same sockets. */
export interface Contender {
  readonly name: ContenderName;
  /** Seconds of each repetition. */
  time(): Promise<number[]>;
  /** Bytes, of those that stay running. */
  peakMemory?(): number;
}

export type ContenderName =
  | 'sample'
  | 'sample_netlink'
  | 'sample_without_owners'
  | 'sample_alone'
  | 'sample_all'
  | 'sample_all_naively'
  | 'connects'
  | 'connects_counted'
  | 'node_nothing'
  | 'version'
  | 'ss_processes'
  | 'listeners'
  | 'destinations'
  | 'receive'
  | 'ss'
  | 'node_exporter'
  | 'cat';

const SAMPLE_RUNNER = fileURLToPath(new URL('./sampleRunner.ts', import.meta.url));
/** The two that are compared to a few per cent run several times in each turn, after one unmeasured run. */
const REPETITIONS = 3;
const NODE_EXPORTER_PORT = 19100;

/** A whole sample: walk, decode, aggregate. One process for all rounds, as the exporter's worker is one. */
export function sample(namespace: Namespace): Contender {
  return sampling('sample', namespace);
}

/** The same over netlink. */
export function sampleOverNetlink(namespace: Namespace): Contender {
  return sampling('sample_netlink', namespace, { args: ['--source', 'netlink'] });
}

/** The same without finding out whose sockets they are. */
export function sampleWithoutOwners(namespace: Namespace): Contender {
  return sampling('sample_without_owners', namespace, { args: ['--without-owners'] });
}

/** @param options.args of the sample runner; `repetitions` are measured after one that is not */
export function sampling(
  name: ContenderName,
  namespace: Namespace,
  { args = [], repetitions = REPETITIONS }: { args?: readonly string[]; repetitions?: number } = {},
): Contender {
  const runner = namespace.converse([
    process.execPath,
    '--import',
    import.meta.resolve('tsx'),
    SAMPLE_RUNNER,
    ...args,
  ]);
  return {
    name,
    time: async () => {
      const runs = JSON.parse(await runner.ask(String(repetitions + 1))) as SampleRun[];
      for (const run of runs) checkComplete(name, run.sockets, namespace);
      return runs.slice(1).map((run) => run.seconds);
    },
  };
}

export function receiveOnly(namespace: Namespace, program: string): Contender {
  return {
    name: 'receive',
    time: async () => {
      const output = await namespace.run([program, String(REPETITIONS + 1)], 'collect');
      const runs = output
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number));
      for (const [sockets = 0] of runs) checkComplete('receive', sockets, namespace);
      return runs.slice(1).map(([, seconds = Number.NaN]) => seconds);
    },
  };
}

export function ss(namespace: Namespace): Contender {
  return { name: 'ss', time: async () => [await secondsOf(() => namespace.run(['ss', '-tan'], 'discard'))] };
}

export function cat(namespace: Namespace): Contender {
  const command = ['cat', '/proc/net/tcp', '/proc/net/tcp6'];
  return { name: 'cat', time: async () => [await secondsOf(() => namespace.run(command, 'discard'))] };
}

export async function nodeExporter(namespace: Namespace, scrapeProgram: string): Promise<Contender> {
  const flags = ['--collector.disable-defaults', '--collector.tcpstat', '--log.level=error'];
  const child = namespace.start(
    ['prometheus-node-exporter', ...flags, `--web.listen-address=127.0.0.1:${NODE_EXPORTER_PORT}`],
    ['ignore', 'ignore', 'inherit'],
  );
  const scraping = new Scraping(namespace, scrapeProgram, NODE_EXPORTER_PORT);
  await scraping.waitFor('/');
  return {
    name: 'node_exporter',
    time: async () => {
      const { milliseconds } = await scraping.get('/metrics', 1);
      return milliseconds.map((value) => value / 1000);
    },
    peakMemory: () => peakMemory(child),
  };
}

/** Includes the start of the program, as for anyone who runs it: a few milliseconds. */
async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function checkComplete(name: ContenderName, sockets: number, namespace: Namespace): void {
  if (sockets >= namespace.sockets) return;
  throw new BenchError(`${name} saw ${sockets} of ${namespace.sockets} sockets`);
}
