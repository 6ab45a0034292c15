import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ExporterError } from '../../src/base/errors.ts';
import { parseYaml } from '../../src/base/parseYaml.ts';
import { cpuMs } from '../support/cpu.ts';

const parse = (text: string) => parseYaml(text, 'web.yml', z.unknown());
const keys = (count: number) => Array.from({ length: count }, (_, index) => `key-${index}: 1`);

describe('a YAML text that would freeze or fill the program is refused before it is parsed:', () => {
  it.each([
    ['80 000 keys', keys(80_000).join('\n'), 'web.yml:6002: too many lines and items: expected at most 6000'],
    [
      'as many on one line',
      `{${keys(80_000).join(', ')}}`,
      'web.yml:1: too many lines and items: expected at most 6000',
    ],
    ['500 000 brackets', '['.repeat(500_000), 'web.yml:1: nested too deeply: expected at most 64 brackets'],
    [
      '500 000 braces',
      'a:\n  {'.concat('{'.repeat(500_000)),
      'web.yml:2: nested too deeply: expected at most 64 brackets',
    ],
    ['400 000 dashes', '- '.repeat(400_000), 'web.yml:1: nested too deeply: expected at most 200 columns'],
    [
      'deep blocks',
      Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      'web.yml:202: nested too deeply: expected at most 200 columns',
    ],
  ])('%s', (_, text, message) => {
    const took = cpuMs(() => expect(() => parse(text)).toThrow(new ExporterError(message)));
    expect(took).toBeLessThan(100);
  });
});

describe('what is just within the limits', () => {
  it.each([
    ['lines', keys(6_001).join('\n')],
    ['items', `[${'1,'.repeat(5_999)}1]`],
    ['pairs on one line', `{${keys(6_000).join(', ')}}`],
    ['blocks', Array.from({ length: 200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['a long text', `a: ${'x'.repeat(1 << 20)}`],
  ])('is read: %s', (_, text) => {
    const took = cpuMs(() => expect(() => parse(text)).not.toThrow());
    // 0.2 s, on a machine that is not the slowest.
    expect(took).toBeLessThan(2000);
  });

  it('has each key once', () => {
    expect(() => parse([...keys(5_000), 'key-5: 2'].join('\n'))).toThrow(
      new ExporterError('web.yml:5001: invalid YAML: duplicate key at column 1'),
    );
    expect(() => parse('a: {b: 1}\nb: 1\n1: x\n"1": y\n')).not.toThrow();
  });
});
