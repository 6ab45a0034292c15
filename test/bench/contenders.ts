import { fileURLToPath } from 'node:url';
import { BenchError } from './benchError.ts';
import type { LineProcess } from './lineProcess.ts';
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
  | 'snat'
  | 'snat_receive'
  | 'snat_idle'
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
  const runner = converseWithRunner(namespace, args);
  return {
    name,
    time: async () => {
      const runs = JSON.parse(await runner.ask(String(repetitions + 1))) as SampleRun[];
      for (const run of runs) checkComplete(name, run.sockets, namespace);
      return runs.slice(1).map((run) => run.seconds);
    },
  };
}

/** The sample runner in that namespace: see there for its arguments. */
export function converseWithRunner(namespace: Namespace, args: readonly string[]): LineProcess {
  const command = [process.execPath, '--import', import.meta.resolve('tsx'), SAMPLE_RUNNER, ...args];
  return namespace.converse(command);
}

export function receiveOnly(namespace: Namespace, program: string): Contender {
  return receiving('receive', namespace, [program, String(REPETITIONS + 1)]);
}

/** The dump of tracked connections. */
export function receiveTracked(namespace: Namespace, program: string, entries: number): Contender {
  return receiving('snat_receive', namespace, [program, String(REPETITIONS + 1), 'tracked'], entries);
}

function receiving(
  name: ContenderName,
  namespace: Namespace,
  command: readonly string[],
  least = namespace.sockets,
): Contender {
  return {
    name,
    time: async () => {
      const output = await namespace.run(command, 'collect');
      const runs = output
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number));
      for (const [seen = 0] of runs)
        if (seen < least) throw new BenchError(`${name} saw ${seen} of ${least}`);
      return runs.slice(1).map(([, seconds = Number.NaN]) => seconds);
    },
  };
}

/** What is behind a NAT, alone: counts, the walk, and what is made of it. */
export function snat(namespace: Namespace, entries: number): Contender {
  const runner = converseWithRunner(namespace, []);
  return {
    name: 'snat',
    time: async () => {
      const runs = JSON.parse(await runner.ask(String(REPETITIONS + 1))) as SampleRun[];
      for (const { snat } of runs) {
        if (snat.walks === 0 || snat.entries < entries)
          throw new BenchError(`the sample saw ${snat.entries} of ${entries} entries in ${snat.walks} walks`);
      }
      return runs.slice(1).map((run) => run.snat.seconds);
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
