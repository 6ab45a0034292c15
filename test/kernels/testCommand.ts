/**
 * What to test on every kernel: that available is what it still gives, that nothing is missed beside sockets that come and go,
 * that each refused call is counted, that a NAT gives as many ports as were promised, and that one that is locked down is read
 * all the same.
 */
const PROMISES = [
  ...[
    'bind',
    'bindBuckets',
    'blocked',
    'canary',
    'churn',
    'connect',
    'connectFailures',
    'devices',
    'everything',
    'holders',
    'range',
    'refusals',
    'refusedBinds',
    'snat',
    'snatRefusals',
    'timeWait',
    'udp',
  ].map((name) => `test/live/${name}.test.ts`),
  'test/e2e/lockdown.test.ts',
];

/** The shell text that runs the live tests. */
export function testCommand(project: string, vitestArguments: readonly string[]): string {
  // vitest takes any of several file filters, so the usual ones are named only where none is given.
  const files = vitestArguments.some((argument) => argument.startsWith('test/')) ? [] : PROMISES;
  // Each of them in every project that has it: over netlink, and over BPF.
  const vitest = [`${project}/node_modules/vitest/vitest.mjs`, 'run', '--config', 'test/vitest.config.ts'];
  return nodeCommand(project, [...vitest, ...files, ...vitestArguments]);
}

/** The shell text that runs a script of the project. */
export function scriptCommand(project: string, script: string): string {
  return nodeCommand(project, ['--import', 'tsx', script]);
}

/** In the words of the machine: its node, its PATH, its project folder. */
function nodeCommand(project: string, nodeArguments: readonly string[]): string {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: '/root',
    // What a missing privilege would skip is a failure: nothing is missing in there.
    CI: 'true',
    TEST_TIMEOUT_FACTOR: process.env['TEST_TIMEOUT_FACTOR'] ?? '20',
    ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }),
  };
  const words = [process.execPath, ...nodeArguments];
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${quote(value)}`);
  return `cd ${quote(project)} && env -i ${assignments.join(' ')} ${words.map(quote).join(' ')}`;
}

export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
