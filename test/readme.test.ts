import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { markedTable } from './support/markdown.ts';

const text = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const README = text('README.md');

describe('The README', () => {
  it('is a front page', () => {
    expect(README.split('\n').length).toBeLessThanOrEqual(200);
  });

  it('gives the command that CI runs', () => {
    expect(README).toContain('npm ci && npm test');
    expect(text('.ci/run')).toContain('npm ci && npm test');
  });

  it('names six metrics that the reference has', () => {
    const metrics = markedTable(text('deploy/reference/metrics.md'), 'metrics').map(([name]) => name);
    const named = [...README.matchAll(/^\| `(port_\w+)` \|/gm)].map(([, name]) => name);
    expect(named).toHaveLength(6);
    expect(metrics).toEqual(expect.arrayContaining(named));
  });

  it('compares by numbers of the benchmark', () => {
    const measured = markedTable(text('deploy/reference/benchmark.md'), 'benchmark');
    const quoted = markedTable(README, 'comparison');
    expect(quoted.length).toBeGreaterThan(0);
    const medians = measured.map(([what, median]) => [what, median]);
    for (const row of quoted) expect(medians).toContainEqual(row);
    const [, missed] = / (\w+) of the project's own targets are missed/.exec(README) ?? [];
    const numbers = ['None', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'];
    expect(missed).toBe(numbers[measured.filter(([, , , , , result]) => result === '**missed**').length]);
  });
});
