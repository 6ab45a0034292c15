import { BenchError } from './benchError.ts';
import { sampling } from './contenders.ts';
import type { Namespace } from './namespace.ts';
import { runRounds, type Timings } from './rounds.ts';

/** What it costs to sample many small namespaces beside a large one. */
export interface PodsRun {
  readonly pods: number;
  /** Of the large one alone, and of all. */
  readonly timings: Timings;
  /** Of all, each read whole. Takes many times as long: it is measured once. */
  readonly naive: Timings;
}

/** Makes `pods` namespaces beside the populated one and times the ways to sample them all; they end with it. */
export async function runPods(
  namespace: Namespace,
  podsProgram: string,
  pods: number,
  rounds: number,
): Promise<PodsRun> {
  const others = await startPods(namespace, podsProgram, pods);
  const contenders = [
    sampling('sample_alone', namespace),
    sampling('sample_all', namespace, { args: others }),
  ];
  const timings = await runRounds(contenders, rounds);
  const args = [...others, '--each-whole', '--source', 'netlink'];
  const naive = sampling('sample_all_naively', namespace, { args, repetitions: 1 });
  return { pods, timings, naive: await runRounds([naive], 1) };
}

/** Makes them → what makes the sample runner sample them too; whatever other namespaces the machine has are left out. */
export async function startPods(namespace: Namespace, program: string, pods: number): Promise<string[]> {
  const [ready, ...inodes] = (await namespace.converse([program, String(pods)]).nextLine()).split(' ');
  if (ready !== 'ready' || inodes.length !== pods) throw new BenchError(`pods said "${ready}"`);
  return ['--namespaces', `net:\\[(?:${inodes.join('|')})\\]`];
}
