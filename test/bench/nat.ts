import { BenchError } from './benchError.ts';
import { converseWithRunner, receiveTracked, snat } from './contenders.ts';
import { runDaemon } from './daemon.ts';
import type { Namespace } from './namespace.ts';
import { startPods } from './pods.ts';
import { runRounds, Timings } from './rounds.ts';
import type { SampleRun } from './sampleRunner.ts';

/** What it costs to know the ports behind a NAT. */
export interface NatRun {
  readonly entries: number;
  /** A whole collection, and receiving the same dump. */
  readonly timings: Timings;
  /** Bytes of the process that takes the samples, without those entries and with them. */
  readonly samplerMemory: { readonly without: number; readonly with: number };
  /** Namespaces that track nothing: the cost of all of them in a sample, and how often anything was walked. */
  readonly idle: { readonly pods: number; readonly timings: Timings; readonly walks: number };
}

export interface NatPrograms {
  readonly track: string;
  readonly receive: string;
  readonly pods: string;
  readonly scrape: string;
}

/** Of the namespace there is, which has few sockets: its entries end with it. */
export async function runNat(
  namespace: Namespace,
  programs: NatPrograms,
  { entries, pods, rounds, requests }: Readonly<Record<'entries' | 'pods' | 'rounds' | 'requests', number>>,
): Promise<NatRun> {
  const idle = await runIdle(namespace, programs.pods, pods, rounds);
  const without = await runDaemon(namespace, programs.scrape, requests);
  const ready = await namespace.converse([programs.track, String(entries)]).nextLine();
  if (ready !== `ready ${entries}`) throw new BenchError(`track said "${ready}"`);
  const contenders = [snat(namespace, entries), receiveTracked(namespace, programs.receive, entries)];
  const timings = await runRounds(contenders, rounds);
  const filled = await runDaemon(namespace, programs.scrape, requests);
  return {
    ...{ entries, timings, idle },
    samplerMemory: { without: without.samplerMemory, with: filled.samplerMemory },
  };
}

async function runIdle(
  namespace: Namespace,
  podsProgram: string,
  pods: number,
  rounds: number,
): Promise<NatRun['idle']> {
  const runner = converseWithRunner(namespace, await startPods(namespace, podsProgram, pods));
  const [, ...runs] = JSON.parse(await runner.ask(String(rounds + 1))) as SampleRun[];
  return {
    pods,
    timings: new Timings(new Map([['snat_idle', runs.map((run) => run.snat.seconds)]])),
    walks: runs.reduce((sum, run) => sum + run.snat.walks, 0),
  };
}
