import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { parseExposition } from '../support/exposition.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const MAIN = new URL('../../dist/main.js', import.meta.url).pathname;

/** Rows of the table between two marks, as the text of their cells without backticks. */
function table(name: string): string[][] {
  const [, marked = ''] =
    new RegExp(`<!-- ${name}:begin -->\n(.*)<!-- ${name}:end -->`, 's').exec(README) ?? [];
  return marked
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
}

describe('The README', () => {
  it('lists exactly the metrics that are exposed, with their labels', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--once']);
    const exposed = [...stdout.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    const rows = table('metrics');
    expect(rows.map(([name]) => name)).toEqual(exposed);
    const documented = new Map(rows.map(([name, labels = '']) => [name, labels.split(', ').join()]));
    for (const { name, labels } of parseExposition(stdout)) {
      expect(Object.keys(labels).join(), name).toBe(documented.get(name));
    }
  });

  it('lists exactly the flags there are, with their defaults', () => {
    const flags = Object.entries(OPTION_FLAGS)
      .filter(([, flag]) => flag.hidden !== true)
      .map(([name, flag]) => [`--${name}`, flag.isSwitch ? '' : flag.default]);
    const documented = table('flags').map(([name, fallback]) => [name, fallback]);
    expect(documented.toSorted()).toEqual([...flags, ['--version', ''], ['--help', '']].toSorted());
  });

  it('gives the command that CI runs', () => {
    const ci = readFileSync(new URL('../../.ci/run', import.meta.url), 'utf8');
    expect(README).toContain('npm ci && npm test');
    expect(ci).toContain('npm ci && npm test');
  });
});
