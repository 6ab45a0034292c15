import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import type { ProbeOutcome } from '../../src/probes/probe.ts';
import { ProbeReporter } from '../../src/probes/probeReporter.ts';
import { Prober } from '../../src/probes/prober.ts';
import type { ProbeTarget } from '../../src/probes/target.ts';

const WELL: ProbeOutcome = {
  ...{ failure: undefined, resolveSeconds: undefined, connectSeconds: 0.001, attempts: [] },
};

function target(name: string, changes: Partial<ProbeTarget> = {}): ProbeTarget {
  return { name, host: '192.0.2.1', port: 80, intervalMs: 10_000, timeoutMs: 5_000, ...changes };
}

describe('the prober', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  /** Probes that take so long; `begun` is when each began, in seconds. */
  function proberTaking(takesMs: number) {
    const begun = new Map<string, number[]>();
    const startedAt = performance.now();
    let running = new Map<string, number>();
    let overlapped = false;
    const prober = new Prober(async ({ name }) => {
      begun.set(name, [...(begun.get(name) ?? []), (performance.now() - startedAt) / 1000]);
      overlapped ||= (running.get(name) ?? 0) > 0;
      running.set(name, (running.get(name) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      running = new Map(running).set(name, (running.get(name) ?? 0) - 1);
      return WELL;
    }, new ProbeReporter(silentLogger));
    const names = () => prober.results.probed.map(({ target: { name } }) => name);
    return { prober, begun, names, overlapped: () => overlapped };
  }

  it('spreads the first probes over the interval, and keeps to the interval then', async () => {
    const { prober, begun } = proberTaking(100);
    const all = Array.from({ length: 1000 }, (_, index) => target(`t${index}`));
    prober.setTargets(all);
    prober.start();
    await vi.advanceTimersByTimeAsync(29_999);
    const firsts = [...begun.values()].map(([first = Number.NaN]) => first);
    expect(firsts).toHaveLength(1000);
    for (const second of [0, 2, 4, 6, 8]) {
      const within = firsts.filter((first) => first >= second && first < second + 2);
      // 200 are expected, and 13 of them are one standard deviation.
      expect(Math.abs(within.length - 200)).toBeLessThan(100);
    }
    for (const [first = 0, ...later] of begun.values()) {
      expect(later.map((at) => at - first)).toEqual([expect.closeTo(10, 1), expect.closeTo(20, 1)]);
    }
    prober.stop();
  });

  it('probes for the first time within a minute, however long the interval', async () => {
    const { prober, names } = proberTaking(0);
    prober.setTargets([target('rare', { intervalMs: 86_400_000 })]);
    prober.start();
    await vi.advanceTimersByTimeAsync(60_001);
    expect(names()).toEqual(['rare']);
    prober.stop();
  });

  it('never has two probes of a target: one that takes longer skips what it missed', async () => {
    const { prober, begun, overlapped } = proberTaking(25_000);
    prober.setTargets([target('slow')]);
    prober.start();
    await vi.advanceTimersByTimeAsync(100_000);
    const [first = 0, ...later] = begun.get('slow') ?? [];
    expect(later.slice(0, 2).map((at) => at - first)).toEqual([expect.closeTo(30, 1), expect.closeTo(60, 1)]);
    expect(overlapped()).toBe(false);
    prober.stop();
  });

  it('shows a target once it was probed, and no longer than it is one', async () => {
    const { prober, begun, names } = proberTaking(1_000);
    prober.setTargets([target('a'), target('b')]);
    prober.start();
    expect(prober.results).toEqual({ targets: 2, probed: [] });
    await vi.advanceTimersByTimeAsync(11_001);
    expect(names()).toEqual(['a', 'b']);
    const before = prober.results;
    expect(prober.results).toBe(before);

    prober.setTargets([target('b'), target('c')]);
    prober.start();
    expect(prober.results.targets).toBe(2);
    expect(names()).toEqual(['b']);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(names()).toEqual(['b', 'c']);
    expect(begun.get('a')?.length).toBeLessThanOrEqual(2);
    expect(begun.get('b')?.length).toBeGreaterThanOrEqual(5);
    prober.stop();
    expect(prober.results).toEqual({ targets: 0, probed: [] });
  });

  it('takes a target of other settings for another one, and drops what was on its way', async () => {
    const { prober, names } = proberTaking(1_000);
    prober.setTargets([target('a')]);
    const onItsWay = prober.probeAll();
    prober.setTargets([target('a', { port: 81 })]);
    await vi.advanceTimersByTimeAsync(1_001);
    await onItsWay;
    expect(names()).toEqual([]);
    prober.stop();
  });

  it('probes nothing once it was stopped', async () => {
    const { prober, begun } = proberTaking(1_000);
    prober.setTargets([target('a')]);
    prober.start();
    await vi.advanceTimersByTimeAsync(10_000);
    prober.stop();
    const until = begun.get('a')?.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(begun.get('a')?.length).toBe(until);
    expect(vi.getTimerCount()).toBe(0);
  });
});
