import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { COLLECTORS } from '../../../src/sampling/collectors/list.ts';
import { HOST_COLLECTORS } from '../../../src/snapshot/sample.ts';
import { parseExposition } from '../../support/exposition.ts';
import { markedTable } from '../../support/markdown.ts';

const PAGE = readFileSync(new URL('../../../deploy/reference/metrics.md', import.meta.url), 'utf8');
const MAIN = new URL('../../../dist/main.js', import.meta.url).pathname;

it('deploy/reference/metrics.md lists exactly the metrics that are exposed, with their labels', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--once']);
  const exposed = [...stdout.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  const rows = markedTable(PAGE, 'metrics');
  expect(rows.map(([name]) => name)).toEqual(exposed);
  const documented = new Map(rows.map(([name, labels = '']) => [name, labels.split(', ').join()]));
  for (const { name, labels } of parseExposition(stdout)) {
    expect(Object.keys(labels).join(), name).toBe(documented.get(name));
  }
});

it('and every collector by its name', () => {
  const [, , meaning = ''] =
    PAGE.split('\n')
      .find((line) => line.startsWith('| `port_exporter_sample_success`'))
      ?.split('|')
      .slice(1) ?? [];
  const named = [...meaning.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const names = [...COLLECTORS.map(({ name }) => name), ...HOST_COLLECTORS];
  expect([...new Set(named)].toSorted()).toEqual(names.toSorted());
});
