import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { steady } from '../support/steady.ts';
import { FIXTURE } from './support/procfs.ts';
import { run } from './support/program.ts';

const GOLDEN = fileURLToPath(new URL('../golden/procfs.prom', import.meta.url));

it('the whole output for a /proc that does not change is the golden one', async () => {
  const { code, stdout, stderr } = await run([
    '--once',
    '--sample.source=procfs',
    '--sample.max-duty=1',
    '--namespaces=self',
    '--no-canary',
    // Not every machine has a cgroup v2 and /etc/services.
    '--log.level=error',
    `--path.procfs=${FIXTURE}`,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const output = steady(stdout);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(GOLDEN, output);
  expect(output).toBe(readFileSync(GOLDEN, 'utf8'));
});
