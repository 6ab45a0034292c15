/**
 * Arguments of Node.js for a process that is small: what V8 is told at run time (`v8Flags.ts`) comes too late for the size of its
 * young generation, which grows to 32 MiB else. Where the user says something of that, it takes precedence.
 *
 * @param execArgv of this process
 */
export function smallExecArgv(
  execArgv: readonly string[],
  { NODE_OPTIONS = '' }: NodeJS.ProcessEnv,
): string[] {
  const isSaid = [NODE_OPTIONS, ...execArgv].some((text) => text.includes('semi-space-size'));
  return isSaid ? [...execArgv] : ['--max-semi-space-size=1', ...execArgv];
}

/** glibc has one heap for each thread, of which Node.js starts ten that hardly allocate (mallopt(3), M_ARENA_MAX). */
export function smallEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { MALLOC_ARENA_MAX: '1', ...environment };
}
