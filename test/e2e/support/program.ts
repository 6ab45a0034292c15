import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { type Answer, get } from './http.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

export interface How {
  /** Of Node itself: `--import`. */
  readonly nodeFlags?: readonly string[];
  /** A command that runs the rest of its arguments. */
  readonly launcher?: readonly string[];
  /** Another build than this one. */
  readonly main?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** User and group. */
  readonly uid?: number;
}

/** A launcher: in a mount namespace of its own, which these commands of sh(1) change. */
export function withMounts(...commands: readonly string[]): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', [...commands, 'exec "$@"'].join(' && '), 'sh'];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const started = new Set<ChildProcess>();
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  started.clear();
});

/** Runs the built program to its end. */
export async function run(args: readonly string[], how: How = {}): Promise<Ended> {
  const child = start(args, how);
  const [stdout, stderr, ended] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  started.delete(child);
  return { code: ended[0], signal: ended[1], stdout, stderr };
}

/** The built program as it serves. It ends with the test file at the latest. */
export class Daemon {
  readonly child: ReturnType<typeof start>;
  /** What it logged. */
  readonly lines: string[] = [];
  readonly #ended: Promise<unknown[]>;
  #held: number | undefined;

  constructor(args: readonly string[], how: How = {}) {
    this.child = start(args, how);
    this.#ended = once(this.child, 'close');
    createInterface(this.child.stderr).on('line', (line) => this.lines.push(line));
    this.child.stdout.resume();
  }

  /** One that listens on a port of its own choice and has its first sample. */
  static async started(args: readonly string[], how: How = {}): Promise<Daemon> {
    const listens = args.some((arg) => arg.startsWith('--web.listen-address='));
    const daemon = new Daemon([...(listens ? [] : ['--web.listen-address=127.0.0.1:0']), ...args], how);
    await daemon.logged(/msg="first sample"/);
    daemon.#held = heldBy(daemon.child.pid);
    return daemon;
  }

  /** The first line that fits, as soon as it is there. */
  async logged(pattern: RegExp): Promise<string> {
    for (const until = Date.now() + 20_000 * SLOWNESS; ; ) {
      const line = this.lines.find((candidate) => pattern.test(candidate));
      if (line !== undefined) return line;
      const over = this.child.exitCode !== null || Date.now() > until;
      if (over) throw new Error(`no line like ${pattern} among:\n${this.lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  get port(): number {
    const addresses = this.lines.map((line) => / addresses=\S*:(\d+) /.exec(line)?.[1]);
    return Number(addresses.find((port) => port !== undefined));
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return get(this.port, path, headers);
  }

  /** Sends a signal → how it ended, and after how many milliseconds. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: unknown; signal: unknown; tookMs: number }> {
    await this.#expectNoMoreHeld();
    const startedAt = performance.now();
    this.child.kill(signal);
    const [code, killedBy] = await this.#ended;
    started.delete(this.child);
    const tookMs = performance.now() - startedAt;
    await until(() => livingIn(this.child.pid).length === 0, 'processes are left of the daemon');
    return { code, signal: killedBy, tookMs };
  }

  /** Whatever it went through: what it holds open, but for connections, is what it held after its first sample. */
  async #expectNoMoreHeld(): Promise<void> {
    const before = this.#held;
    if (before === undefined) return;
    await until(
      () => (heldBy(this.child.pid) ?? 0) <= before,
      `the daemon holds more descriptors than the ${before} after its first sample`,
    );
  }
}

/** Rejects where it does not come true. */
async function until(isTrue: () => boolean, otherwise: string): Promise<void> {
  for (const over = Date.now() + 5000 * SLOWNESS; !isTrue(); ) {
    if (Date.now() > over) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Descriptors of a process that are no sockets; undefined where they cannot be seen. */
function heldBy(pid: number | undefined): number | undefined {
  try {
    const held = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
    return held.filter((link) => link !== undefined && !link.startsWith('socket:')).length;
  } catch {
    return undefined;
  }
}

/** Undefined for one that is closed meanwhile. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Processes of a group that have not ended. */
export function livingIn(group: number | undefined): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [state, , ofGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return ofGroup === String(group) && state !== 'Z' && state !== 'X';
    } catch {
      return false;
    }
  });
}

/** The built program, which ends with the test file at the latest. */
export function start(
  args: readonly string[],
  { nodeFlags = [], launcher = [], main = MAIN, env = {}, uid }: How,
) {
  accessSync(main);
  const command = [...launcher, process.execPath, ...nodeFlags, main, ...args];
  const child = spawn(command[0] ?? '', command.slice(1), {
    // Whether other users' processes may be looked into, and which namespaces there are, depends on the machine.
    env: {
      PATH: process.env['PATH'],
      PORT_EXPORTER_PROCESSES_BUDGET: '0',
      PORT_EXPORTER_NAMESPACES: 'self',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own shows whether it leaves any process behind.
    detached: true,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  started.add(child);
  return child;
}
