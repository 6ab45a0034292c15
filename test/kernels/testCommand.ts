/** The promise to test on every kernel: available is what it still gives. */
const EXACTNESS = ['bind', 'blocked', 'canary', 'connect', 'everything', 'range', 'timeWait', 'udp'].map(
  (name) => `test/live/${name}.test.ts`,
);

/** The shell text that runs the live tests, in the words of the machine: its node, its PATH, its project folder. */
export function testCommand(project: string, vitestArguments: readonly string[]): string {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: '/root',
    // What a missing privilege would skip is a failure: nothing is missing in there.
    CI: 'true',
    TEST_TIMEOUT_FACTOR: process.env['TEST_TIMEOUT_FACTOR'] ?? '20',
    ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }),
  };
  // vitest takes any of several file filters, so the usual ones are named only where none is given.
  const files = vitestArguments.some((argument) => argument.startsWith('test/')) ? [] : EXACTNESS;
  const vitest = [`${project}/node_modules/vitest/vitest.mjs`, 'run', '--config', 'test/vitest.config.ts'];
  const words = [process.execPath, ...vitest, ...files, ...vitestArguments];
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${quote(value)}`);
  return `cd ${quote(project)} && env -i ${assignments.join(' ')} ${words.map(quote).join(' ')}`;
}

export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
