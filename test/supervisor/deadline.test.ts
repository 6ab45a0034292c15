import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CpuUse } from '../../src/owners/processStat.ts';
import { Deadline } from '../../src/supervisor/deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Long enough for everything that a deadline of 10 s waits for. */
const LONG_MS = 100_000;

/** A deadline of 10 s, and after how many milliseconds it was missed. */
function deadline(cpuUse: () => CpuUse | undefined = () => undefined) {
  const missed: [string, number][] = [];
  const startedAt = performance.now();
  const made = new Deadline(cpuUse, (patience) =>
    missed.push([patience, Math.round(performance.now() - startedAt)]),
  );
  made.expectWithin(10_000);
  return { made, missed };
}

/** As the clock goes on while this process is stopped: no timer runs. */
function stopFor(milliseconds: number): void {
  const now = performance.now() + milliseconds;
  vi.spyOn(performance, 'now').mockReturnValue(now);
  vi.advanceTimersToNextTimer();
  vi.mocked(performance.now).mockRestore();
}

describe('a deadline', () => {
  it('is missed once, by who says nothing', () => {
    const { missed } = deadline();
    vi.advanceTimersByTime(9999);
    expect(missed).toEqual([]);
    vi.advanceTimersByTime(LONG_MS);
    expect(missed).toEqual([['10s', 10_001]]);
  });

  it('gives way to the next', () => {
    const { made, missed } = deadline();
    vi.advanceTimersByTime(9999);
    made.expectWithin(500);
    vi.advanceTimersByTime(LONG_MS);
    expect(missed).toEqual([['500ms', 10_500]]);
  });

  it('is not missed by a message that arrived in time and is read just now', () => {
    const { made, missed } = deadline();
    vi.advanceTimersByTime(10_000);
    made.clear();
    vi.advanceTimersByTime(LONG_MS);
    expect(missed).toEqual([]);
  });

  it('begins anew where this process was stopped, and the sampler with it', () => {
    const { missed } = deadline();
    stopFor(35_000);
    vi.advanceTimersByTime(9999);
    expect(missed).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(missed).toHaveLength(1);
  });

  it('waits for who runs and gets little of the processor', () => {
    // A tenth of the time.
    const cpuUse = () => ({ isRunnable: true, milliseconds: performance.now() / 10 });
    const { made, missed } = deadline(cpuUse);
    vi.advanceTimersByTime(29_000);
    expect(missed).toEqual([]);
    made.clear();
  });

  it('but no longer than thrice its time', () => {
    const { missed } = deadline(() => ({ isRunnable: true, milliseconds: performance.now() / 10 }));
    vi.advanceTimersByTime(LONG_MS);
    expect(missed).toEqual([['10s', expect.closeTo(30_000, -2)]]);
  });

  it.each([
    ['computes for ever', () => ({ isRunnable: true, milliseconds: performance.now() })],
    ['waits in a system call', () => ({ isRunnable: false, milliseconds: 0 })],
    ['is gone', () => undefined],
  ])('is missed in time by who %s', (_, cpuUse) => {
    const { missed } = deadline(cpuUse);
    vi.advanceTimersByTime(LONG_MS);
    expect(missed).toEqual([['10s', 10_001]]);
  });
});
