import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { collect } from '../../src/sampler/collect.ts';
import { guardedIntervalMs } from '../../src/sampler/sample.ts';
import type { CollectorOutcome } from '../../src/sampler/snapshot.ts';

describe('the cost guard', () => {
  const DAY = 24 * 60 * 60 * 1000;
  const interval = fc.integer({ min: 1, max: DAY });
  const duty = fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true });
  const duration = fc.double({ min: 0, max: 3_600_000, noNaN: true });

  it('keeps sampling under its share of a core, and never samples more often than asked', () => {
    fc.assert(
      fc.property(interval, duty, duration, (intervalMs, maxDuty, durationMs) => {
        const guarded = guardedIntervalMs({ intervalMs, maxDuty }, durationMs);
        expect(guarded).toBeGreaterThanOrEqual(intervalMs);
        // A timer cannot wait for longer than that.
        expect(guarded).toBeLessThanOrEqual(DAY);
        if (guarded < DAY) expect(durationMs / guarded).toBeLessThanOrEqual(maxDuty * (1 + 1e-9));
      }),
    );
  });

  it.each([
    [5000, 0.05, 10, 5000],
    [5000, 0.05, 250, 5000],
    [5000, 0.05, 500, 10_000],
    [10, 1, 0, 10],
    [10, 1, 400, 400],
    [10, 1e-12, 400, DAY],
  ])(
    'every %d ms at a duty of %d and a sample of %d ms is every %d ms',
    (intervalMs, maxDuty, durationMs, real) => {
      expect(guardedIntervalMs({ intervalMs, maxDuty }, durationMs)).toBe(real);
    },
  );
});

describe('collect()', () => {
  it('gives the result and how long it took', () => {
    const outcomes: CollectorOutcome[] = [];
    expect(collect('tcp', outcomes, () => 7)).toBe(7);
    expect(outcomes).toEqual([{ collector: 'tcp', seconds: expect.any(Number), error: undefined }]);
    expect(outcomes[0]?.seconds).toBeGreaterThanOrEqual(0);
  });

  it.each<[unknown, string]>([
    [new ExporterError('dump of TCP sockets', { cause: new Error('EINTR') }), 'dump of TCP sockets: EINTR'],
    [new RangeError('a defect\nof two lines'), 'a defect of two lines'],
    ['not even an error', 'not even an error'],
  ])('turns a failure into one line: %s', (thrown, error) => {
    const outcomes: CollectorOutcome[] = [];
    const result = collect('udp', outcomes, () => {
      throw thrown;
    });
    expect(result).toBeUndefined();
    expect(outcomes).toEqual([{ collector: 'udp', seconds: expect.any(Number), error }]);
  });
});
