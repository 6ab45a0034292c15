import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Held, refusalRatio } from '../../src/aggregate/snatRefusals.ts';
import { spreadRefusalRatio } from '../../src/aggregate/snatSpread.ts';

const FIRM = Held.HELD | Held.FIRM;
const CLOSING = Held.HELD | Held.TIME_WAIT;

/** The mean of what ports refuse that are used anywhere. */
function meanOf(runs: number, count: number, used: number, evictable: number, evicts: boolean): number {
  let random = 1;
  const next = () => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    return random / 2 ** 32;
  };
  let sum = 0;
  const ports = new Uint8Array(count);
  for (let run = 0; run < runs; run++) {
    ports.fill(0).fill(FIRM, 0, used).fill(CLOSING, 0, evictable);
    for (let at = count - 1; at > 0; at--) {
      const other = Math.floor(next() * (at + 1));
      [ports[at], ports[other]] = [ports[other] as number, ports[at] as number];
    }
    sum += refusalRatio(ports, count, evicts);
  }
  return sum / runs;
}

describe('the share of packets that scattered ports would refuse', () => {
  it.each([
    [1000, 985, 0, false],
    [1000, 998, 0, false],
    [4000, 3960, 0, false],
    [1000, 1000, 10, true],
    [1000, 998, 5, true],
    [64_512, 63_867, 0, false],
  ])(
    'is about the mean over ports that are used anywhere: of %i %i, %i of them evictable',
    (count, used, evictable, evicts) => {
      const expected = meanOf(count > 10_000 ? 6 : 300, count, used, evictable, evicts);
      const found = spreadRefusalRatio({ count, used, evictable }, evicts);
      expect(found / expected).toBeGreaterThan(0.75);
      expect(found / expected).toBeLessThan(1.1);
    },
  );

  it('is exact where a range is searched whole, which is where it makes no difference', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(128), (power, free) => {
        const count = 2 ** power;
        const used = Math.max(0, count - free);
        const expected = used === count ? 1 : 0;
        expect(spreadRefusalRatio({ count, used, evictable: 0 }, true)).toBe(expected);
      }),
    );
    expect(spreadRefusalRatio({ count: 30, used: 30, evictable: 30 }, true)).toBeCloseTo(2 ** -30, 14);
    expect(spreadRefusalRatio({ count: 30, used: 30, evictable: 30 }, false)).toBe(1);
    expect(spreadRefusalRatio({ count: 64, used: 64, evictable: 32 }, true)).toBeGreaterThan(2 ** -32);
  });

  it('rises with every used port, up to 1', () => {
    let before = 0;
    for (let used = 900; used <= 1000; used++) {
      const ratio = spreadRefusalRatio({ count: 1000, used, evictable: 0 }, true);
      expect(ratio).toBeGreaterThan(before);
      before = ratio;
    }
    expect(before).toBeCloseTo(1, 12);
  });
});
