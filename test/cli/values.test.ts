import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePeriod } from '../../src/base/duration.ts';
import { ExporterError } from '../../src/base/errors.ts';
import {
  oneOf,
  parseEndpoint,
  parseLimit,
  parseLink,
  parsePeriodOrNone,
  parsePort,
  parseShare,
  parseTelemetryPath,
  pathOf,
  wholeNumber,
} from '../../src/cli/values.ts';

interface Case {
  readonly name: string;
  readonly parse: (text: string) => unknown;
  readonly good: readonly (readonly [text: string, value: unknown])[];
  readonly bad: readonly string[];
  readonly expected: string;
}

const PARSERS: readonly Case[] = [
  {
    name: 'a period',
    parse: parsePeriod,
    good: [
      ['1ms', 1],
      ['5s', 5_000],
      ['1d', 86_400_000],
    ],
    bad: ['0', '0s', '1d1ms', '30d'],
    expected: 'a duration from 1ms to 1d',
  },
  {
    name: 'a period or none',
    parse: parsePeriodOrNone,
    good: [
      ['0', 0],
      ['0s', 0],
      ['1ms', 1],
    ],
    bad: ['30d'],
    expected: 'a duration from 1ms to 1d',
  },
  {
    name: 'a port',
    parse: parsePort,
    good: [
      ['1', 1],
      ['65535', 65_535],
    ],
    bad: ['', '0', '65536', '-1', '1.5', '1e3', 'http', ' 80', '080808'],
    expected: 'a port from 1 to 65535',
  },
  {
    name: 'an address and a port',
    parse: parseEndpoint,
    good: [
      ['192.0.2.1:443', { address: '192.0.2.1', port: 443 }],
      ['[2001:db8::1]:443', { address: '2001:db8::1', port: 443 }],
      ['[::ffff:192.0.2.1]:443', { address: '::ffff:192.0.2.1', port: 443 }],
    ],
    bad: [
      '',
      '192.0.2.1',
      ':443',
      '2001:db8::1:443',
      '[192.0.2.1]:443',
      '192.0.2:443',
      'host:443',
      '1.2.3.4:-1',
    ],
    expected: 'ADDRESS:PORT or [IPV6]:PORT',
  },
  {
    name: 'a share',
    parse: parseShare,
    good: [
      ['0.05', 0.05],
      ['.5', 0.5],
      ['1', 1],
      ['1.0', 1],
    ],
    bad: ['', '0', '0.0', '1.01', '-0.5', '5%', '1e-2', 'NaN', '0x1', ' 1'],
    expected: 'a number above 0 and up to 1',
  },
  {
    name: 'a limit',
    parse: parseLimit,
    good: [
      ['0', 0],
      ['20', 20],
      ['100000', 100_000],
    ],
    bad: ['', '-1', '1.5', '100001', '1e3', 'all', ' 1'],
    expected: 'an integer from 0 to 100000',
  },
  {
    name: 'a whole number',
    parse: wholeNumber(1, 9),
    good: [
      ['1', 1],
      ['9', 9],
      ['09', 9],
    ],
    bad: ['', '0', '-1', '1.5', '10', '1e0', ' 1'],
    expected: 'an integer from 1 to 9',
  },
  {
    name: 'a word',
    parse: oneOf(['auto', 'netlink']),
    good: [['auto', 'auto']],
    bad: ['', 'Auto', 'auto ', 'proc'],
    expected: 'one of auto, netlink',
  },
  {
    name: 'a directory',
    parse: pathOf('a directory'),
    good: [['/proc', '/proc']],
    bad: [''],
    expected: 'a directory',
  },
  {
    name: 'a link',
    parse: parseLink,
    good: [
      [
        'https://grafana.example/d/x?var-instance=db-7:1#a',
        'https://grafana.example/d/x?var-instance=db-7:1#a',
      ],
      ['http://[2001:db8::1]:3000', 'http://[2001:db8::1]:3000/'],
    ],
    bad: [
      '',
      '/d/x',
      'grafana.example',
      '//grafana.example',
      'javascript:alert(1)',
      'data:text/html,x',
      'https://',
      'file:///etc',
    ],
    expected: 'an http:// or https:// URL',
  },
  {
    name: 'a telemetry path',
    parse: parseTelemetryPath,
    good: [
      ['/metrics', '/metrics'],
      ['/a/b-c_d.e~f', '/a/b-c_d.e~f'],
    ],
    bad: [
      '',
      '/',
      'metrics',
      '/-',
      '/-/ready',
      '/readme',
      '/a/',
      '//a',
      '/:id',
      '/*',
      '/a?b',
      '/a b',
      '/..',
      '/a/./b',
      '/%41',
      '/ü',
    ],
    expected: 'a path like /metrics, other than / and /readme and not below /-/',
  },
];

describe.each(PARSERS)('$name', ({ parse, good, bad, expected }) => {
  it.each(good)('may be %s', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it.each(bad)('is not %j, which is shown with what was expected', (text) => {
    expect(() => parse(text)).toThrow(
      new ExporterError(`invalid value ${JSON.stringify(text)}: expected ${expected}`),
    );
  });

  it('is a value or an ExporterError, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parse(text)).toBeDefined();
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
        }
      }),
    );
  });
});
