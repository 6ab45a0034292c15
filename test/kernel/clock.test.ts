import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { bootTimeMs, monotonicMs, openBootTime } from '../../src/kernel/clock.ts';

const uptimeMs = () => Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000;

describe.each([
  ['the C library', bootTimeMs],
  [
    '/proc/uptime, without the FFI library',
    openBootTime(() => {
      throw new ExporterError('loading the C library through koffi');
    }),
  ],
])('the time since boot, of %s', (_, clock) => {
  it('is that of the kernel', () => {
    const before = uptimeMs();
    const between = clock();
    expect(between).toBeGreaterThanOrEqual(before - 10);
    expect(between).toBeLessThanOrEqual(uptimeMs() + 20);
  });

  it('goes on as other clocks do', async () => {
    const [boot, monotonic] = [clock(), monotonicMs()];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(Math.abs(clock() - boot - (monotonicMs() - monotonic))).toBeLessThanOrEqual(30);
  });
});

it('no clock that ages are taken from follows when somebody sets the time', () => {
  const [boot, monotonic] = [bootTimeMs(), monotonicMs()];
  const now = vi.spyOn(Date, 'now').mockReturnValue(0);
  try {
    expect(bootTimeMs() - boot).toBeLessThan(10_000);
    expect(bootTimeMs()).toBeGreaterThanOrEqual(boot);
    expect(monotonicMs()).toBeGreaterThanOrEqual(monotonic);
  } finally {
    now.mockRestore();
  }
});
