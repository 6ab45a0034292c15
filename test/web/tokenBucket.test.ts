import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Rate, TokenBucket } from '../../src/web/tokenBucket.ts';

const RATE = { burst: 3, intervalMs: 1_000 };

const rates: fc.Arbitrary<Rate> = fc.record({
  burst: fc.integer({ min: 1, max: 50 }),
  intervalMs: fc.double({ min: 0.001, max: 1e7, noNaN: true }),
});
/** Times between requests, in intervals. */
const gaps = fc.array(fc.double({ min: 0, max: 4, noNaN: true }), { maxLength: 200 });

/** When the requests came that got a token. */
function granted(rate: Rate, gapList: readonly number[], startMs = 0): number[] {
  const bucket = new TokenBucket();
  let nowMs = startMs;
  return gapList.flatMap((gap) => {
    nowMs += gap * rate.intervalMs;
    return bucket.take(rate, nowMs) === 0 ? [nowMs] : [];
  });
}

describe('a token bucket', () => {
  it('gives a burst at once, and then a token each interval', () => {
    const bucket = new TokenBucket();
    expect([5_000, 5_000, 5_000, 5_000].map((nowMs) => bucket.take(RATE, nowMs))).toEqual([0, 0, 0, 1_000]);
    expect(bucket.take(RATE, 5_900)).toBeCloseTo(100);
    expect([6_000, 6_000].map((nowMs) => bucket.take(RATE, nowMs))).toEqual([0, 1_000]);
  });

  it('is full after a rest, and not fuller', () => {
    const bucket = new TokenBucket();
    for (const _ of [1, 2, 3]) bucket.take(RATE, 0);
    expect([1e9, 1e9, 1e9, 1e9].map((nowMs) => bucket.take(RATE, nowMs) === 0)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('keeps its tokens when the rate changes, as far as they fit', () => {
    const bucket = new TokenBucket();
    for (const _ of [1, 2, 3]) bucket.take(RATE, 0);
    expect(bucket.take({ burst: 100, intervalMs: 1_000 }, 0)).toBe(1_000);
    const full = new TokenBucket();
    full.take({ burst: 100, intervalMs: 1_000 }, 0);
    expect([0, 0, 0, 0].map((nowMs) => full.take(RATE, nowMs) === 0)).toEqual([true, true, true, false]);
  });

  it('that gave a token an hour apart gives one each second once it should', () => {
    const bucket = new TokenBucket();
    bucket.take({ burst: 1, intervalMs: 3_600_000 }, 0);
    expect(bucket.take({ burst: 1, intervalMs: 1_000 }, 1_000)).toBe(0);
  });

  it('gives no more in any time than a burst and what comes back in it', () => {
    fc.assert(
      fc.property(rates, gaps, (rate, gapList) => {
        const times = granted(rate, gapList);
        for (const [from, first] of times.entries()) {
          for (const [to, last] of times.entries()) {
            if (to < from) continue;
            const most = rate.burst + (last - first) / rate.intervalMs;
            expect(to - from + 1).toBeLessThanOrEqual(most + 1e-6);
          }
        }
      }),
    );
  });

  it('refuses nobody who comes no faster than tokens come back', () => {
    fc.assert(
      fc.property(rates, gaps, (rate, gapList) => {
        const slow = gapList.map((gap) => 1 + 1e-6 + gap);
        expect(granted(rate, slow)).toHaveLength(slow.length);
      }),
    );
  });

  it('gives a burst at once at any time', () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1e12, noNaN: true }), (rate, startMs) => {
        const bucket = new TokenBucket();
        const waits = Array.from({ length: rate.burst + 1 }, () => bucket.take(rate, startMs));
        expect(waits).toEqual([...new Array(rate.burst).fill(0), rate.intervalMs]);
      }),
    );
  });

  it('has a token for whoever waits as long as it says', () => {
    fc.assert(
      fc.property(rates, gaps, (rate, gapList) => {
        const bucket = new TokenBucket();
        let nowMs = 0;
        for (const gap of gapList) {
          nowMs += gap * rate.intervalMs;
          const waitMs = bucket.take(rate, nowMs);
          expect(waitMs).toBeLessThanOrEqual(rate.intervalMs);
          if (waitMs === 0) continue;
          nowMs += waitMs * (1 + 1e-6);
          expect(bucket.take(rate, nowMs)).toBe(0);
        }
      }),
    );
  });
});
