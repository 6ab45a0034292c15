import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { readSysctl } from '../../src/kernel/procfs.ts';
import {
  parsePortRange,
  parseReservedPorts,
  parseSwitch,
  parseTwReuse,
  parseTwReuseDelay,
  readPortSysctls,
} from '../../src/kernel/sysctl.ts';

const FIXTURE = new URL('../fixtures/proc', import.meta.url).pathname;

describe('parsePortRange', () => {
  it.each([
    ['32768\t60999\n', { first: 32_768, last: 60_999 }],
    ['1 65535', { first: 1, last: 65_535 }],
    ['40000\t40000', { first: 40_000, last: 40_000 }],
  ])('reads %j', (text, range) => {
    expect(parsePortRange(text)).toEqual(range);
  });

  it.each(['', '32768', '60999\t32768', '0\t10', '1\t65536', '-1\t5', '1 2 3', 'a b', '9'.repeat(400)])(
    'refuses %j',
    (text) => {
      expect(() => parsePortRange(text)).toThrow(ExporterError);
    },
  );

  it('shows what it refuses', () => {
    expect(() => parsePortRange('60999\t32768')).toThrow(
      new ExporterError(
        'expected two ports from 1 to 65535, the first not above the last, got "60999 32768"',
      ),
    );
  });
});

describe('parseReservedPorts', () => {
  it.each([
    ['', []],
    ['\n', []],
    ['8080\n', [[8080, 8080]]],
    [
      '1,2-4,10-10\n',
      [
        [1, 1],
        [2, 4],
        [10, 10],
      ],
    ],
    ['0-65535', [[0, 65_535]]],
  ])('reads %j', (text, pairs) => {
    expect(parseReservedPorts(text)).toEqual(pairs);
  });

  it.each([',', '1,', '1-', '-1', '4-2', '65536', '1 2', '1,x', '1-2-3'])('refuses %j', (text) => {
    expect(() => parseReservedPorts(text)).toThrow(ExporterError);
  });
});

describe('the others', () => {
  it('read their numbers', () => {
    expect(['0', '1\n', '2'].map(parseTwReuse)).toEqual([0, 1, 2]);
    expect(['0', '1\n', '2'].map(parseSwitch)).toEqual([false, true, true]);
    expect(['0', '1000\n', '4294967295'].map(parseTwReuseDelay)).toEqual([0, 1000, 4_294_967_295]);
  });

  it('refuse everything else', () => {
    for (const parse of [parseTwReuse, parseSwitch, parseTwReuseDelay]) {
      for (const text of ['', '-1', 'on', '1 2', '0x1']) expect(() => parse(text)).toThrow(ExporterError);
    }
    expect(() => parseTwReuse('3')).toThrow(new ExporterError('expected 0, 1 or 2, got "3"'));
  });

  it('take any text for a value or an ExporterError of one line', () => {
    const parsers = [parsePortRange, parseReservedPorts, parseTwReuse, parseSwitch, parseTwReuseDelay];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'0123456789,- \t\n') }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...parsers), text, (parse, input) => {
        try {
          parse(input);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
          expect(String(thrown)).not.toContain('\n');
        }
      }),
    );
  });
});

describe('readPortSysctls', () => {
  let procfs: string;
  beforeEach(() => {
    procfs = mkdtempSync(join(tmpdir(), 'port-exporter-sysctl-'));
    cpSync(join(FIXTURE, 'sys'), join(procfs, 'sys'), { recursive: true });
    return () => rmSync(procfs, { recursive: true });
  });
  const pathOf = (name: string) => join(procfs, 'sys/net/ipv4', name);

  it('reads all of them', () => {
    expect(readPortSysctls(procfs)).toEqual({
      range: { first: 32_768, last: 60_999 },
      reserved: [
        [8080, 8080],
        [9100, 9199],
        [40_000, 40_002],
        [50_000, 50_000],
      ],
      twReuse: 2,
      timestamps: true,
      twReuseDelayMs: 1000,
      l3mdevAccept: true,
    });
  });

  it('does with the range alone, and then calls no TIME_WAIT reusable', () => {
    for (const name of ['ip_local_reserved_ports', 'tcp_tw_reuse', 'tcp_timestamps', 'tcp_tw_reuse_delay']) {
      rmSync(pathOf(name));
    }
    expect(readPortSysctls(procfs)).toEqual({
      range: { first: 32_768, last: 60_999 },
      reserved: [],
      twReuse: 0,
      timestamps: false,
      twReuseDelayMs: 1000,
      l3mdevAccept: true,
    });
  });

  it('names what is missing, unreadable or wrong', () => {
    const range = pathOf('ip_local_port_range');
    writeFileSync(range, '5\t4\n');
    expect(() => readPortSysctls(procfs)).toThrow(
      new ExporterError(
        `${range}: expected two ports from 1 to 65535, the first not above the last, got "5 4"`,
      ),
    );
    rmSync(range);
    expect(() => readPortSysctls(procfs)).toThrow(
      new KernelError(`open() of ${range}`, constants.errno.ENOENT),
    );
    mkdirSync(range);
    expect(() => readPortSysctls(procfs)).toThrow(
      new KernelError(`read() of ${range}`, constants.errno.EISDIR),
    );
  });
});

describe('on the live kernel', () => {
  it('reads what is there', () => {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').trim().split('\t');
    expect(readPortSysctls('/proc').range).toEqual({ first: Number(first), last: Number(last) });
    expect(readSysctl('/proc', 'net/ipv4/no_such_thing')).toBeUndefined();
  });
});
