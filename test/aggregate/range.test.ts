import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ephemeralRange, rangeSnapshot } from '../../src/aggregate/range.ts';
import { sysctlsOf } from './world.ts';

describe('the ephemeral range', () => {
  it('has every port from the first to the last', () => {
    const sysctls = sysctlsOf(32_768, 60_999);
    const range = ephemeralRange(sysctls);
    expect(rangeSnapshot(range, sysctls)).toEqual({
      ...{ first: 32_768, last: 60_999, reserved: 0, usable: 28_232, addable: 64_512 - 28_232 },
      leavesOneOut: false,
      timeWaitReuse: { mode: 2, timestamps: true, delayMs: 1000 },
    });
    expect([32_767, 32_768, 60_999, 61_000].map((port) => range.usable.has(port))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('has none of the reserved ones, which may lie outside it and overlap', () => {
    const reserved: [number, number][] = [
      [1, 80],
      [39_990, 40_001],
      [40_001, 40_003],
      [40_050, 40_050],
      [40_098, 65_535],
    ];
    const sysctls = sysctlsOf(40_000, 40_099, { reserved });
    const range = ephemeralRange(sysctls);
    expect(rangeSnapshot(range, sysctls)).toMatchObject({
      ...{ first: 40_000, last: 40_099, reserved: 7, usable: 93 },
      // 1024 to 39 989; above the range everything is reserved.
      addable: 38_966,
    });
    const gone = [40_000, 40_003, 40_050, 40_098, 40_099];
    expect(gone.filter((port) => range.usable.has(port))).toEqual([]);
    expect([40_004, 40_049, 40_051, 40_097].every((port) => range.usable.has(port))).toBe(true);
  });

  it('can be reserved as a whole', () => {
    const sysctls = sysctlsOf(40_000, 40_009, { reserved: [[0, 65_535]] });
    const range = ephemeralRange(sysctls);
    expect(rangeSnapshot(range, sysctls)).toMatchObject({ reserved: 10, usable: 0, addable: 0 });
  });

  it.each([
    ['an even first port, an even length', 40_000, 40_099, 0, false],
    ['an even first port, an odd length', 40_000, 40_100, 0, true],
    ['an odd first port, an even length', 40_001, 40_100, 1, false],
    ['an odd first port, an odd length', 40_001, 40_099, 1, true],
    ['one port', 40_001, 40_001, 1, false],
  ])(
    'prefers the parity of its first port, and leaves one out where it is odd: %s',
    (_, first, last, parity, odd) => {
      const { preferredParity, leavesOneOut } = ephemeralRange(sysctlsOf(first, last));
      expect({ preferredParity, leavesOneOut }).toEqual({ preferredParity: parity, leavesOneOut: odd });
    },
  );

  it('could get every unprivileged port that is neither in it nor reserved', () => {
    const anyPair = fc
      .tuple(fc.nat(65_535), fc.nat(65_535))
      .map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
    fc.assert(
      fc.property(
        anyPair.filter(([first]) => first > 0),
        fc.array(anyPair, { maxLength: 4 }),
        ([first, last], reserved) => {
          const sysctls = sysctlsOf(first, last, { reserved });
          const taken = [[first, last] as const, ...reserved];
          let addable = 0;
          for (let port = 1024; port <= 65_535; port++) {
            if (!taken.some(([from, to]) => port >= from && port <= to)) addable++;
          }
          expect(rangeSnapshot(ephemeralRange(sysctls), sysctls).addable).toBe(addable);
        },
      ),
      { numRuns: 30 },
    );
  });
});
