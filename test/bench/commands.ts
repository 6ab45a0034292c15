import { fileURLToPath } from 'node:url';
import { BenchError } from './benchError.ts';
import type { Contender, ContenderName } from './contenders.ts';
import type { Namespace } from './namespace.ts';
import { runRounds, type Timings } from './rounds.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** What a person waits for at a shell, beside the tool that answers the same. */
export function runCommands(namespace: Namespace, rounds: number): Promise<Timings> {
  const { execPath } = process;
  return runRounds(
    [
      timed('node_nothing', namespace, [execPath, '-e', '0'], 'cpu'),
      timed('version', namespace, [execPath, MAIN, '--version'], 'cpu'),
      timed('ss_processes', namespace, ['ss', '-tanp'], 'wall'),
      timed('listeners', namespace, [execPath, MAIN, 'listeners'], 'wall'),
      timed('destinations', namespace, [execPath, MAIN, 'destinations'], 'wall'),
    ],
    rounds,
  );
}

/** Bash says both: of the clock on the wall, and of the processor in user and kernel mode. */
const TIMING = 'TIMEFORMAT="%R %U %S"; { time "$@" > /dev/null 2>&1; } 2>&1; echo $?';

function timed(
  name: ContenderName,
  namespace: Namespace,
  command: readonly string[],
  clock: 'cpu' | 'wall',
): Contender {
  return {
    name,
    time: async () => {
      const output = await namespace.run(['bash', '-c', TIMING, 'bash', ...command], 'collect');
      const [wall = Number.NaN, user = 0, system = 0, code] = output.trim().split(/\s+/).map(Number);
      if (code !== 0) throw new BenchError(`${command.join(' ')} ended with ${code}`);
      return [clock === 'wall' ? wall : user + system];
    },
  };
}
