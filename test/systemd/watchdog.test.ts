import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startWatchdog, watchdogPeriodMs } from '../../src/systemd/watchdog.ts';

describe('the time between two beats', () => {
  it.each([
    ['a quarter of WatchdogSec', { WATCHDOG_USEC: '60000000' }, 15_000],
    ['for this process', { WATCHDOG_USEC: '2000000', WATCHDOG_PID: '41' }, 500],
    ['never less than a millisecond', { WATCHDOG_USEC: '1' }, 1],
    ['never more than a timer can count', { WATCHDOG_USEC: String(2 ** 53) }, 24 * 60 * 60 * 1000],
  ])('is %s', (_, environment, periodMs) => {
    expect(watchdogPeriodMs(environment, 41)).toBe(periodMs);
  });

  it.each([
    {},
    { WATCHDOG_USEC: '' },
    { WATCHDOG_USEC: '0' },
    { WATCHDOG_USEC: '18446744073709551615' },
    { WATCHDOG_USEC: '60s' },
    { WATCHDOG_USEC: '60000000', WATCHDOG_PID: '1' },
  ])('is none with %j', (environment) => {
    expect(watchdogPeriodMs(environment, 41)).toBeUndefined();
  });
});

describe('a watchdog', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is fed at once and then regularly, but only as long as there is life', () => {
    let isAlive = true;
    const keepAlive = vi.fn();
    const end = startWatchdog(500, () => isAlive, keepAlive);
    expect(keepAlive).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1000);
    expect(keepAlive).toHaveBeenCalledTimes(3);
    isAlive = false;
    vi.advanceTimersByTime(5000);
    expect(keepAlive).toHaveBeenCalledTimes(3);
    isAlive = true;
    vi.advanceTimersByTime(500);
    expect(keepAlive).toHaveBeenCalledTimes(4);
    end();
    vi.advanceTimersByTime(5000);
    expect(keepAlive).toHaveBeenCalledTimes(4);
  });
});
