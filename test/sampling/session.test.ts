import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { collect } from '../../src/sampling/collect.ts';
import { guardedIntervalMs, openSession } from '../../src/sampling/session.ts';
import type { CollectorOutcome } from '../../src/snapshot/sample.ts';
import { samplingOptions } from '../support/samplingOptions.ts';
import { recordingLogger } from './fakes.ts';

const OPTIONS = samplingOptions({
  source: 'procfs',
  limits: { destinations: 20, localAddresses: 20, listeners: 20, owners: 0, snat: 0 },
  ...{ destinationOwners: false, canary: false },
});

describe('the cost guard', () => {
  const DAY = 24 * 60 * 60 * 1000;
  const interval = fc.integer({ min: 1, max: DAY });
  const duty = fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true });
  const cpu = fc.double({ min: 0, max: 3_600_000, noNaN: true });

  it('keeps sampling under its share of a core, and samples neither more often than asked nor less often than peaks need', () => {
    fc.assert(
      fc.property(interval, interval, duty, cpu, (intervalMs, peakWindowMs, maxDuty, cpuMs) => {
        const guarded = guardedIntervalMs({ intervalMs, maxDuty, peakWindowMs }, cpuMs);
        expect(guarded).toBeGreaterThanOrEqual(intervalMs);
        // A timer cannot wait for longer than a day either.
        expect(guarded).toBeLessThanOrEqual(Math.max(intervalMs, peakWindowMs));
        if (guarded < Math.max(intervalMs, peakWindowMs))
          expect(cpuMs / guarded).toBeLessThanOrEqual(maxDuty * (1 + 1e-9));
      }),
    );
  });

  it.each([
    [5000, 0.05, 10, 5000],
    [5000, 0.05, 250, 5000],
    [5000, 0.05, 500, 10_000],
    [10, 1, 0, 10],
    [10, 1, 400, 400],
    [5000, 0.05, 50_000, 60_000],
    [10, 1e-12, 400, 60_000],
    [120_000, 0.05, 50_000, 120_000],
  ])(
    'every %d ms at a duty of %d and a sample of %d ms of CPU time is every %d ms',
    (intervalMs, maxDuty, cpuMs, real) => {
      expect(guardedIntervalMs({ intervalMs, maxDuty, peakWindowMs: 60_000 }, cpuMs)).toBe(real);
    },
  );
});

describe('a sample', () => {
  /** The real interval after a sample that took so much CPU time of its thread, and some time by the clock on the wall. */
  function intervalAfter(cpuMs: number, maxDuty: number): number {
    let looks = 0;
    const clock = () => (looks++ === 0 ? 0 : cpuMs);
    const session = openSession({ ...OPTIONS, maxDuty }, recordingLogger().log, { cpuTime: clock });
    const { intervalSeconds, configuredIntervalSeconds, durationSeconds } = session.sample();
    session.close();
    expect(configuredIntervalSeconds).toBe(5);
    expect(durationSeconds).toBeGreaterThan(0);
    return intervalSeconds;
  }

  it('that waits for a busy machine costs nothing: only CPU time stretches the interval', () => {
    expect(intervalAfter(0, 1e-9)).toBe(5);
    expect(intervalAfter(500, 0.05)).toBe(10);
    expect(intervalAfter(50_000, 0.05)).toBe(60);
  });
});

describe('collect()', () => {
  it('gives the result and how long it took', () => {
    const outcomes: CollectorOutcome[] = [];
    expect(collect({ collector: 'tcp', finds: 'numbers' }, outcomes, () => 7)).toBe(7);
    expect(outcomes).toEqual([
      { collector: 'tcp', finds: 'numbers', seconds: expect.any(Number), error: undefined },
    ]);
    expect(outcomes[0]?.seconds).toBeGreaterThanOrEqual(0);
  });

  it.each<[unknown, string]>([
    [new ExporterError('dump of TCP sockets', { cause: new Error('EINTR') }), 'dump of TCP sockets: EINTR'],
    [new RangeError('a defect\nof two lines'), 'a defect of two lines'],
    ['not even an error', 'not even an error'],
  ])('turns a failure into one line: %s', (thrown, error) => {
    const outcomes: CollectorOutcome[] = [];
    const result = collect({ collector: 'udp', finds: 'numbers' }, outcomes, () => {
      throw thrown;
    });
    expect(result).toBeUndefined();
    expect(outcomes).toEqual([{ collector: 'udp', finds: 'numbers', seconds: expect.any(Number), error }]);
  });
});
