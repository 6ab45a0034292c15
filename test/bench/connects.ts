import { BenchError } from './benchError.ts';
import { builtPart } from './built.ts';
import type { Contender, ContenderName } from './contenders.ts';
import type { Namespace } from './namespace.ts';
import { runRounds, type Timings } from './rounds.ts';

/** Connections of each turn, and turns: they are compared to a per cent. */
const CONNECTIONS = 20_000;
const REPETITIONS = 3;
const ROUNDS = 15;

/** What it costs a connection that refused calls are counted. */
export async function runConnects(namespace: Namespace, program: string): Promise<Timings> {
  const counting = await openBuiltCounting();
  const connects = (name: ContenderName, before: () => () => void): Contender => ({
    name,
    time: async () => {
      const end = before();
      try {
        const seconds: number[] = [];
        for (let i = 0; i < REPETITIONS; i++)
          seconds.push(Number(await namespace.run([program, String(CONNECTIONS)], 'collect')));
        return seconds;
      } finally {
        end();
      }
    },
  });
  return runRounds([connects('connects', () => () => {}), connects('connects_counted', counting)], ROUNDS);
}

/** ADAPTER: what runs is the build, as in sampleRunner.ts. → begins to count, and ends it. */
async function openBuiltCounting(): Promise<() => () => void> {
  const { openRefusals } =
    await builtPart<typeof import('../../src/refusals/openRefusals.ts')>('openRefusals');
  return () => {
    const refusals = openRefusals();
    const [tcpConnect] = refusals.regimes;
    if (tcpConnect?.isCounted !== true)
      throw new BenchError(`refused calls are not counted: ${tcpConnect?.reason}`);
    return () => refusals.close();
  };
}
