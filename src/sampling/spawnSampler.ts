import { type ChildProcess, spawn } from 'node:child_process';
import { ownProgram } from '../base/ownFiles.ts';
import { smallEnvironment, smallExecArgv } from '../base/smallProcess.ts';
import { OPTIONS_VARIABLE } from './handover.ts';

/** What is said to the service manager, and by whom, is the business of the process that serves. */
const OF_THE_SERVICE = /^(?:NOTIFY_SOCKET|WATCHDOG_(?:USEC|PID)|LISTEN_\w+|NODE_CHANNEL_\w+)$/;

/** The environment of a small child, without what it would take for its own. */
export function environmentOfChild(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return smallEnvironment(
    Object.fromEntries(Object.entries(environment).filter(([name]) => !OF_THE_SERVICE.test(name))),
  );
}

/**
 * Starts the sampler, as a process with the capabilities of this one.
 *
 * @param options SamplingOptions as text
 * @param speaking what becomes its descriptor to speak on
 */
export function spawnSampler(options: string, speaking: 'pipe' | number): ChildProcess {
  const program = ownProgram('sampler');
  const { env, execPath, execArgv } = process;
  return spawn(execPath, [...smallExecArgv(execArgv, env), program], {
    // The last one is SPEAKING_FD.
    stdio: ['ignore', 'ignore', 'inherit', speaking],
    env: { ...environmentOfChild(env), [OPTIONS_VARIABLE]: options },
  });
}

/** How a child ended, to complete a sentence. */
export function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
}
