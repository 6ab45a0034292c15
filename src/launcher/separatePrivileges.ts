import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { ExporterError, errorLine } from '../base/errors.ts';
import { ownProgram } from '../base/ownFiles.ts';
import { smallEnvironment, smallExecArgv } from '../base/smallProcess.ts';
import { holdsAny } from '../kernel/capabilities.ts';
import { becomeProgram, giveUpCapabilities } from '../kernel/ownProcess.ts';
import { socketPair } from '../kernel/socketPair.ts';
import { environmentOfChild } from '../sampling/spawnSampler.ts';

/** Node's own, by which both sides find their channel (child_process, `subprocess.channel`). */
const CHANNEL = 'NODE_CHANNEL_FD';
/** Says that the channel leads to a launcher: process id of this process, and of the launcher. */
const LAUNCHED = 'PORT_EXPORTER_LAUNCHED';

/** systemd's first descriptor, SD_LISTEN_FDS_START; how many there are is looked at by whoever takes them. */
const FIRST_LISTEN_FD = 3;
const MOST_LISTEN_FDS = 1024;

/** How this process stands to the capabilities that it was started with. */
export interface Privileges {
  /** Process id of the launcher, which kept them; undefined where there is none. */
  readonly launcher?: number;
  /** Why this process still has them, in one line; undefined where it has none. */
  readonly kept?: string;
}

let found: Privileges | undefined = asLaunched();

/**
 * Starts a launcher, which keeps the capabilities, and becomes the same program with the same arguments, pid and sockets, and
 * without any. Returns, always the same, where that has been done, where there are none, and where it cannot be done.
 *
 * It is another program image because capabilities belong to threads, and Node has many (capabilities(7)): execve(2) leaves one.
 */
export function separatePrivileges(): Privileges {
  found ??= holdsAny() ? { kept: becomeUnprivileged() } : {};
  return found;
}

function asLaunched(): Privileges | undefined {
  const [own, launcher] = process.env[LAUNCHED]?.split(' ').map(Number) ?? [];
  delete process.env[LAUNCHED];
  if (own !== process.pid || launcher === undefined || process.connected !== true) return undefined;
  return holdsAny() ? { launcher, kept: 'the kernel gave them back' } : { launcher };
}

/** Returns why it cannot be done. */
function becomeUnprivileged(): string {
  let mine: number | undefined;
  try {
    const [own, launchers] = socketPair();
    mine = own;
    const launcher = startLauncher(launchers);
    const { env, execPath, execArgv, argv } = process;
    Object.assign(env, smallEnvironment(env), { [CHANNEL]: String(own) });
    env[LAUNCHED] = `${process.pid} ${launcher}`;
    giveUpCapabilities();
    becomeProgram([execPath, ...smallExecArgv(execArgv, env), ...argv.slice(1)], [own, ...listenFds(env)]);
  } catch (error) {
    for (const name of [CHANNEL, LAUNCHED]) delete process.env[name];
    // The launcher ends as soon as nobody holds the other end.
    if (mine !== undefined) closeSync(mine);
    return errorLine(error);
  }
}

/** → its process id. */
function startLauncher(channel: number): number {
  const program = ownProgram('launcher');
  try {
    const { env, execPath, execArgv } = process;
    const launcher = spawn(execPath, [...smallExecArgv(execArgv, env), program], {
      stdio: ['ignore', 'ignore', 'inherit', channel],
      env: { ...environmentOfChild(env), ...notifySocket(env), [CHANNEL]: '3' },
    });
    launcher.on('error', () => {});
    if (launcher.pid === undefined)
      throw new ExporterError(`starting ${program}: no process could be created`);
    launcher.unref();
    return launcher.pid;
  } finally {
    closeSync(channel);
  }
}

/** For the command that speaks in the name of this process. */
function notifySocket({ NOTIFY_SOCKET }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return NOTIFY_SOCKET === undefined ? {} : { NOTIFY_SOCKET };
}

function listenFds({ LISTEN_FDS: count = '', LISTEN_PID: pid }: NodeJS.ProcessEnv): number[] {
  const fds =
    pid === String(process.pid) && /^\d{1,4}$/.test(count) ? Math.min(Number(count), MOST_LISTEN_FDS) : 0;
  return Array.from({ length: fds }, (_, index) => FIRST_LISTEN_FD + index);
}
