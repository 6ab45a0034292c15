import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { newWorld, times } from './exact.ts';
import * as posix from './posix.ts';
import { SERVER_PORT, type World } from './world.ts';

/** Four ports. */
export const RANGE = [40_000, 40_003] as const;

/** Makes connect() calls as a process or a thread; see there. */
export const REFUSING_PROGRAM = fileURLToPath(new URL('./refusing.mjs', import.meta.url));

/** A namespace in which no port is left for a connect() to these addresses. */
export function exhausted(...addresses: readonly string[]): World {
  const world = newWorld({ range: RANGE });
  for (const address of addresses) times(4, () => world.connect(address));
  return world;
}

/** The errno by name with which a call is refused. */
export function refusalOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof posix.PosixError) return error.code;
    throw error;
  }
  return 'none';
}

/** Does something with a socket, which is closed then. */
export function withSocket<T>(fd: number, act: (fd: number) => T): T {
  try {
    return act(fd);
  } finally {
    posix.close(fd);
  }
}

/** A process in this namespace whose connect() calls are refused: so many, or for so long (`500ms`). */
export function refusing(howMany: number | string): ChildProcess {
  return spawn(process.execPath, [REFUSING_PROGRAM, '127.0.0.1', String(SERVER_PORT), String(howMany)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** How many it says there were, once it has ended. */
export async function refusedBy(child: ChildProcess): Promise<number> {
  let said = '';
  child.stdout?.on('data', (chunk) => {
    said += String(chunk);
  });
  await once(child, 'close');
  return (JSON.parse(said) as { refused: number }).refused;
}
