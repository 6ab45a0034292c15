import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../../src/cli/commandLine.ts';
import { run } from '../../e2e/support/program.ts';

const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const PAGE = text('deploy/reference/commands.md');

describe('deploy/reference/commands.md', () => {
  it('lists and explains exactly the commands there are', async () => {
    const help = await parseCommandLine(['--help'], {});
    const known = [...(help.kind === 'print' ? help.text : '').matchAll(/^ {2}port-exporter ([a-z]+)/gm)];
    const names = known.map(([, name]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect([...PAGE.matchAll(/^\| \[`(\w+)/gm)].map(([, name]) => name)).toEqual(names);
    expect([...PAGE.matchAll(/^## ([a-z]+)$/gm)].map(([, name]) => name)).toEqual(names);
    const withJson = names.filter((name) => name !== 'completion');
    expect([...PAGE.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(withJson);
  });

  it.each([
    ...[
      ['listeners'],
      ['destinations'],
      ['explain'],
      ['snat'],
      ['refusals', '--for=1ms', `--netns=${process.pid}`],
    ],
    ...[
      ['scan', '--ports=1'],
      ['probe', '127.0.0.1', '1'],
    ],
  ])('names the fields of %s --json', async (command = '', ...words) => {
    const { stdout } = await run([command, ...words, '--json']);
    const [row = ''] = new RegExp(`^\\| \`${command}\` \\|.*$`, 'm').exec(PAGE) ?? [];
    const documented = new Set(row.match(/\w+/g));
    expect(Object.keys(JSON.parse(stdout)).filter((field) => !documented.has(field))).toEqual([]);
  });
});

it.each(['README.md', 'deploy/reference/commands.md'])(
  '%s shows commands that can be given',
  async (path) => {
    const code = [...text(path).matchAll(/^```.*?^```$/gms)].join('\n');
    const shown = [...code.matchAll(/^(?:\$ )?port-exporter((?: [^\s#]+)*) *(?:#.*)?$/gm)];
    expect(shown.length).toBeGreaterThan(0);
    for (const [line, words = ''] of shown) {
      const { kind } = await parseCommandLine(words.trim().split(' ').filter(Boolean), {});
      expect(['query', 'report', 'watch', 'run', 'once'], line).toContain(kind);
    }
  },
);
