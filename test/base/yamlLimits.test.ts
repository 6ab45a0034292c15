import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod/mini';
import { ExporterError } from '../../src/base/errors.ts';
import { parseYaml } from '../../src/base/parseYaml.ts';
import { cpuMs } from '../support/cpu.ts';

const parse = (text: string) => parseYaml(text, 'web.yml', z.unknown());
const keys = (count: number) => Array.from({ length: count }, (_, index) => `key-${index}: 1`);

describe('a YAML text that would freeze or fill the program is refused before it is parsed:', () => {
  it.each<readonly [what: string, text: string, message: string]>([
    [
      '80 000 keys',
      keys(80_000).join('\n'),
      'web.yml:6001: too many lines and items: expected at most 12000',
    ],
    [
      'as many on one line',
      `{${keys(80_000).join(', ')}}`,
      'web.yml:1: too many lines and items: expected at most 12000',
    ],
    ['500 000 brackets', '['.repeat(500_000), 'web.yml:1: nested too deeply: expected at most 64 brackets'],
    [
      '500 000 braces',
      'a:\n  {'.concat('{'.repeat(500_000)),
      'web.yml:2: nested too deeply: expected at most 64 brackets',
    ],
    ...(['- ', '? ', ': ', '- ? '] as const).map(
      (indicators) =>
        [
          `1 MB of ${JSON.stringify(indicators)}`,
          indicators.repeat(1_000_000 / indicators.length),
          'web.yml:1: nested too deeply: expected at most 64 indicators',
        ] as const,
    ),
    [
      'indicators behind a key',
      `a: ${'- '.repeat(300_000)}`,
      'web.yml:1: nested too deeply: expected at most 64 indicators',
    ],
    ['keys of keys', 'a: '.repeat(300_000), 'web.yml:1: too many lines and items: expected at most 12000'],
    ['a million quotes', '"'.repeat(1_000_000), 'web.yml:1: too many quotes: expected at most 20000'],
    ...(['&a ', '!a ', '*a '] as const).map(
      (properties) =>
        [
          `1 MB of ${JSON.stringify(properties)}`,
          properties.repeat(300_000),
          'web.yml:1: too many anchors, tags and aliases: expected at most 1000',
        ] as const,
    ),
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
    ['lines', keys(6_000).join('\n')],
    ['items', `[${'1,'.repeat(11_998)}1]`],
    ['pairs on one line', `{${keys(5_999).join(', ')}}`],
    ['blocks', Array.from({ length: 200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['a long text', `a: ${'x'.repeat(1 << 20)}`],
  ])('is read: %s', (_, text) => {
    const took = cpuMs(() => expect(() => parse(text)).not.toThrow());
    // Cold, on a slow machine, 0.2 to 0.4 s.
    expect(took).toBeLessThan(1500);
  });

  it('has a thousand targets with every setting, as blocks and as JSON', () => {
    const targets = Array.from({ length: 1000 }, (_, index) => ({
      ...{
        name: `target ${index}`,
        target: `tcp://host-${index}.example:443`,
        interval: '15s',
        timeout: '5s',
      },
    }));
    expect(() => parse(JSON.stringify(targets))).not.toThrow();
    expect(() => parse(stringify(targets))).not.toThrow();
  });

  it('has each key once', () => {
    expect(() => parse([...keys(5_000), 'key-5: 2'].join('\n'))).toThrow(
      new ExporterError('web.yml:5001: invalid YAML: duplicate key at column 1'),
    );
    expect(() => parse('a: {b: 1}\nb: 1\n1: x\n"1": y\n')).not.toThrow();
  });
});
