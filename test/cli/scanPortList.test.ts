import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { parsePortList, usualPorts } from '../../src/cli/scanPortList.ts';

const EXPECTED = 'expected ports and ranges like 1-1024,8000-9000, all or usual';

describe('a list of ports', () => {
  it.each([
    ['22', [22]],
    ['80,22', [22, 80]],
    ['1-3,65534-65535', [1, 2, 3, 65_534, 65_535]],
    ['5-7,6-9,7', [5, 6, 7, 8, 9]],
    [' 22 , 80-81 ', [22, 80, 81]],
    ['usual', 'usual'],
  ])('%j', (text, ports) => {
    expect(parsePortList(text)).toEqual(ports);
  });

  it('is all of them', () => {
    const all = parsePortList('all');
    expect([all.length, all[0], all.at(-1)]).toEqual([65_535, 1, 65_535]);
    expect(parsePortList('1-65535')).toEqual(all);
  });

  it.each([
    ['', `invalid value "": ${EXPECTED}`],
    ['22,', `invalid value "": ${EXPECTED}`],
    ['22,http', `invalid value "http": ${EXPECTED}`],
    ['-22', `invalid value "-22": ${EXPECTED}`],
    ['1-2-3', `invalid value "1-2-3": ${EXPECTED}`],
    ['1 - 3', `invalid value "1 - 3": ${EXPECTED}`],
    ['22,all', `invalid value "all": ${EXPECTED}`],
    ['9000-8000', 'invalid value "9000-8000": expected the lower port first'],
    ['0', 'invalid value "0": expected a port from 1 to 65535'],
    ['1-65536', 'invalid value "65536": expected a port from 1 to 65535'],
  ])('%j is refused, and its part named', (text, line) => {
    expect(() => parsePortList(text)).toThrow(new ExporterError(line));
  });

  it('has each port once, in order, however it is written', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    const ranges = fc.array(fc.tuple(port, fc.nat(300)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(ranges, fc.boolean(), (pairs, spaced) => {
        const bounds = pairs.map(([first, more]) => [first, Math.min(first + more, 65_535)] as const);
        const text = bounds
          .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
          .join(spaced ? ', ' : ',');
        const wanted = new Set(
          bounds.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at)),
        );
        expect(parsePortList(text)).toEqual([...wanted].toSorted((a, b) => a - b));
      }),
      { numRuns: 60 },
    );
  });

  it('of any text is ports, or one line', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom('1', '65535', '0', '-', ',', ' ', '9'), { maxLength: 12 })
        .map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          const ports = parsePortList(any);
          expect(ports.length).toBeGreaterThan(0);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
          expect(String(thrown)).not.toContain('\n');
        }
      }),
    );
  });
});

it('The usual ports are the lower ones and those that are known', () => {
  const usual = usualPorts((port) => port === 22 || port === 5432);
  expect([usual.length, usual[0], usual.at(-2), usual.at(-1)]).toEqual([1025, 1, 1024, 5432]);
});
