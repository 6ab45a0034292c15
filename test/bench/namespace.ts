import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { BenchError } from './benchError.ts';
import { LineProcess } from './lineProcess.ts';

/** A network namespace of its own that holds a population of sockets; it lives as long as that population's process. */
export interface Namespace {
  /** TCP sockets in it. */
  readonly sockets: number;
  /** Starts a program inside and returns at once; whatever still runs when the namespace ends is killed. */
  start(command: readonly string[], streams: Streams): ChildProcess;
  /** Runs a program inside to its end and returns what it printed. */
  run(command: readonly string[], output: 'collect' | 'discard'): Promise<string>;
  /** Starts a program inside that answers each line with one line. */
  converse(command: readonly string[]): LineProcess;
}

type Streams = ['ignore' | 'pipe', 'ignore' | 'pipe', 'inherit'];

/** What a namespace is filled with. */
export interface Population {
  /** TCP sockets, most of them ends of connections. */
  readonly sockets?: number;
  /** Listeners and nothing else. */
  readonly listeners?: number;
}

/** Makes a namespace with that population, hands it to `use`, and takes everything in it down again, also on failure. */
export async function withNamespace<T>(
  populationProgram: string,
  { sockets = 0, listeners = 0 }: Population,
  signal: AbortSignal,
  use: (namespace: Namespace) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const holder = startProcess(
    NEW_NAMESPACE,
    [populationProgram, String(sockets), String(listeners)],
    ['pipe', 'pipe', 'inherit'],
  );
  const inside: ChildProcess[] = [];
  const killAll = () => {
    for (const child of [...inside, holder]) child.kill('SIGKILL');
  };
  signal.addEventListener('abort', killAll);
  try {
    const population = new LineProcess(holder, 'population');
    const ready = await population.nextLine();
    const counted = /^ready (\d+)$/.exec(ready)?.[1];
    if (counted === undefined) throw new BenchError(`population said "${ready}"`);
    const enter = enterNamespaceOf(holder);

    const start = (command: readonly string[], streams: Streams) => {
      signal.throwIfAborted();
      const child = startProcess(enter, command, streams);
      inside.push(child);
      return child;
    };
    const namespace: Namespace = {
      sockets: Number(counted),
      start,
      run: (command, output) =>
        finish(start(command, ['ignore', output === 'collect' ? 'pipe' : 'ignore', 'inherit']), command),
      converse: (command) => new LineProcess(start(command, ['pipe', 'pipe', 'inherit']), command.join(' ')),
    };
    return await use(namespace);
  } finally {
    for (const child of inside) child.kill('SIGKILL');
    await Promise.all(inside.map(ended));
    // The end of its stdin lets the population close its sockets abruptly, and wait until they are gone.
    holder.stdin?.end();
    await ended(holder);
    signal.removeEventListener('abort', killAll);
  }
}

const isRoot = process.getuid?.() === 0;
const NEW_NAMESPACE = isRoot ? ['unshare', '--net'] : ['unshare', '--user', '--map-root-user', '--net'];

function enterNamespaceOf(holder: ChildProcess): string[] {
  const net = `--net=/proc/${holder.pid}/ns/net`;
  return isRoot
    ? ['nsenter', net]
    : ['nsenter', `--user=/proc/${holder.pid}/ns/user`, '--preserve-credentials', net];
}

/**
 * Every program dies with the bench, even if that is killed without a chance to clean up. `wrapper` and setpriv become the
 * program (exec), so the child's pid is the program's.
 */
function startProcess(wrapper: readonly string[], command: readonly string[], stdio: Streams): ChildProcess {
  const [program = '', ...args] = [...wrapper, 'setpriv', '--pdeathsig', 'KILL', ...command];
  const child = spawn(program, args, { stdio });
  child.stdin?.on('error', () => {});
  return child;
}

async function finish(child: ChildProcess, command: readonly string[]): Promise<string> {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new BenchError(`${command.join(' ')} ended with ${signal ?? `code ${code}`}`);
  return output;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
