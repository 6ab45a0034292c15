import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { parseProbeFile } from '../../src/probes/probeFile.ts';
import { multiplied } from '../support/yaml.ts';

const parse = (text: string, taken: string[] = []) => parseProbeFile(text, 'probes.yml', taken);

describe('a probe file', () => {
  it('has targets, with all that may be said of them', () => {
    const text = `
- name: orders database   # with a comment
  target: tcp://db.internal:5432
  interval: 1m
  timeout: 2s
  source: 192.0.2.10
- {name: "gateway ü", target: "tcp://[2001:db8::1]:443"}
- name: often
  target: tcp://192.0.2.1:80
  interval: 2s
`;
    expect(parse(text)).toEqual([
      {
        ...{ name: 'orders database', host: 'db.internal', port: 5432, source: '192.0.2.10' },
        ...{ intervalMs: 60_000, timeoutMs: 2_000 },
      },
      { name: 'gateway ü', host: '2001:db8::1', port: 443, intervalMs: 15_000, timeoutMs: 5_000 },
      // The default timeout is no longer than the interval.
      { name: 'often', host: '192.0.2.1', port: 80, intervalMs: 2_000, timeoutMs: 2_000 },
    ]);
  });

  it('may be an empty list, but not empty: so half of one is none', () => {
    expect(parse('[]\n')).toEqual([]);
    for (const text of ['', '# nothing\n', 'probes: []\n', 'text\n', '3\n']) {
      expect(() => parse(text)).toThrow(
        new ExporterError('probes.yml:1: expected a list of probes ([] for none)'),
      );
    }
  });

  const good = '- name: a\n  target: tcp://a:1\n';

  it.each([
    [
      `${good}  intervall: 3s\n`,
      '3: unknown key "intervall": expected one of name, target, interval, timeout, source',
    ],
    [`${good}- name: a\n  target: tcp://b:1\n`, '3: name: duplicate name "a"'],
    [`${good}- name: flag\n  target: tcp://b:1\n`, '3: name: duplicate name "flag"'],
    [`${good}- target: tcp://b:1\n`, '3: name: is missing'],
    ['\n\n- name: b\n', '3: target: is missing'],
    ['- name: ""\n  target: tcp://a:1\n', '1: name: expected 1 to 128 visible characters'],
    ['- name: "a\\nb"\n  target: tcp://a:1\n', '1: name: expected 1 to 128 visible characters'],
    ['- name: 3\n  target: tcp://a:1\n', '1: name: invalid value 3: expected a string'],
    [
      '- name: a\n  target: a:1\n',
      '2: target: invalid value "a:1": expected tcp://HOST:PORT or tcp://[IPV6]:PORT',
    ],
    [`${good}  interval: 15\n`, '3: interval: invalid value 15: expected a duration like 500ms or 15s'],
    [
      `${good}  interval: 15 s\n`,
      '3: interval: invalid duration "15 s": expected one like 500ms, 15s or 1h30m',
    ],
    [`${good}  interval: 999ms\n`, '3: interval: invalid value "999ms": expected a duration from 1s to 1d'],
    [`${good}  timeout: 0\n`, '3: timeout: invalid value 0: expected a duration like 500ms or 15s'],
    [`${good}  timeout: "0"\n`, '3: timeout: invalid value "0": expected a duration from 1ms to 1d'],
    [`${good}  timeout: 16s\n`, '3: timeout: 16s is longer than the interval of 15s'],
    [`${good}  source: eth0\n`, '3: source: invalid value "eth0": expected an IP address of this host'],
    [
      '- name: a\n  source: ::1\n  target: tcp://127.0.0.1:1\n',
      '2: source: invalid value "::1": expected an IPv4 address, the family of 127.0.0.1',
    ],
    ['- just text\n', '1: expected a map with name and target'],
    [`${good}- [a]\n`, '3: expected a map with name and target'],
    ['- name: a\n\ttarget: b\n', '2: invalid YAML: unexpected token at column 2'],
    ['- name: a\n  name: b\n', '2: invalid YAML: duplicate key at column 3'],
    ['- name: "a\n', '2: invalid YAML: missing char at column 1'],
    ['- &a [*a]\n', '1: expected a map with name and target'],
    ['- name: a\n  target: *b\n', '2: invalid YAML: alias without an anchor at column 11'],
    [multiplied('- '), '1: invalid YAML: excessive expansion of aliases at column 1'],
  ])('%j is refused with its line', (text, line) => {
    expect(() => parse(text, ['flag'])).toThrow(new ExporterError(`probes.yml:${line}`));
  });

  it('is targets or an ExporterError of one line, whatever it is', () => {
    const words = fc.constantFrom(
      '- ',
      'name: ',
      'target: ',
      'tcp://a:1',
      '\n',
      '  ',
      '[',
      '&a',
      '*a',
      '{',
      '}',
      '"',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(words).map((all) => all.join('')),
        ),
        (text) => {
          try {
            parse(text);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(ExporterError);
            expect(String(thrown)).toMatch(/^ExporterError: probes\.yml:\d+: [^\n]+$/);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
