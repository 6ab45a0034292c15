import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { parseSockstat, readSocketTotals } from '../../src/kernel/sockstat.ts';

const SOCKSTAT = `sockets: used 293
TCP: inuse 4 orphan 1 tw 2 alloc 5 mem 1
UDP: inuse 3 mem 0
UDPLITE: inuse 7
RAW: inuse 0
FRAG: inuse 0 memory 0
`;
const SOCKSTAT6 = `TCP6: inuse 3
UDP6: inuse 4
UDPLITE6: inuse 8
RAW6: inuse 0
FRAG6: inuse 0 memory 0
`;

describe('parseSockstat()', () => {
  it('reads what bounds the sockets of a namespace', () => {
    expect(parseSockstat(SOCKSTAT, SOCKSTAT6, 'sockstat')).toEqual({ open: 293, timeWait: 2, udp: 7 });
  });

  it('without IPv6', () => {
    expect(parseSockstat(SOCKSTAT, '', 'sockstat').udp).toBe(3);
  });

  it.each([
    ['sockets: used', SOCKSTAT.replace('used 293', 'used'), SOCKSTAT6],
    ['TCP: tw', SOCKSTAT.replace(' tw 2', ''), SOCKSTAT6],
    ['UDP: inuse', SOCKSTAT.replace('UDP:', 'UDX:'), SOCKSTAT6],
    ['UDP6: inuse', SOCKSTAT, SOCKSTAT6.replace('UDP6: inuse 4', 'UDP6: inuse -4')],
  ])('refuses a text without %s', (what, sockstat, sockstat6) => {
    const [protocol, name] = what.split(' ');
    expect(() => parseSockstat(sockstat, sockstat6, '/x')).toThrow(
      new ExporterError(`/x: expected "${protocol} … ${name} N"`),
    );
  });

  it('of any text makes whole numbers or an ExporterError', () => {
    const pieces = fc.array(
      fc.constantFrom(
        'sockets:',
        'TCP:',
        'UDP:',
        'UDP6:',
        ' used',
        ' tw',
        ' inuse',
        ' 1',
        ' -1',
        '\n',
        ' 9e99',
        ' ',
      ),
    );
    const anyText = fc.oneof(
      fc.string(),
      pieces.map((all) => all.join('')),
      fc.nat(SOCKSTAT.length).map((length) => SOCKSTAT.slice(0, length)),
    );
    fc.assert(
      fc.property(anyText, anyText, (sockstat, sockstat6) => {
        try {
          const totals = Object.values(parseSockstat(sockstat, sockstat6, '/x'));
          expect(totals.every((total) => Number.isSafeInteger(total) && total >= 0)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ExporterError);
        }
      }),
    );
  });
});

describe('readSocketTotals()', () => {
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-sockstat-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('reads both files, or the one there is', () => {
    expect(() => readSocketTotals(directory)).toThrow(
      new KernelError(`open() of ${directory}/sockstat`, constants.errno.ENOENT),
    );
    writeFileSync(join(directory, 'sockstat'), SOCKSTAT);
    expect(readSocketTotals(directory)).toEqual({ open: 293, timeWait: 2, udp: 3 });
    writeFileSync(join(directory, 'sockstat6'), SOCKSTAT6);
    expect(readSocketTotals(directory)).toEqual({ open: 293, timeWait: 2, udp: 7 });
    const broken = join(directory, 'broken');
    mkdirSync(join(broken, 'sockstat'), { recursive: true });
    expect(() => readSocketTotals(broken)).toThrow(ExporterError);
  });
});
