import { describe, expect, it } from 'vitest';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import { RecordedHistory } from '../../src/status/history.ts';
import { isFresh, readinessOf } from '../../src/status/readiness.ts';
import { statusOf } from '../../src/status/status.ts';
import { statusOf as systemdStatusOf } from '../../src/systemd/status.ts';
import { RICH_NAMESPACE, sampled } from '../metrics/snapshots.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const INTERVAL_MS = 5000;

/** A machine with the three clocks of src/kernel/clock.ts, and an exporter on it. */
class Machine {
  wallMs = 1_700_000_000_000;
  monotonicMs = 1000;
  bootMs = 50_000;
  readonly history = new RecordedHistory();
  state: SamplingState = { kind: 'failed', reason: 'no sample taken yet', collectors: [] };

  passes(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
    this.bootMs += ms;
  }

  isSuspended(ms: number): void {
    this.wallMs += ms;
    this.bootMs += ms;
  }

  isSet(byMs: number): void {
    this.wallMs += byMs;
  }

  samples(): void {
    const { state } = { state: sampled({ ...RICH_NAMESPACE, sampledAtMs: this.bootMs }) };
    if (state.kind !== 'sampled') return;
    const snapshot = { ...state.snapshot, timestampMs: this.wallMs, completedAtMs: this.bootMs };
    this.state = { kind: 'sampled', snapshot, receivedAtMs: this.monotonicMs };
    this.history.record(snapshot, this.bootMs);
  }

  /** What all that shows or decides by the age of a sample says. */
  get says() {
    const { state, monotonicMs: nowMs, bootMs } = this;
    const status = statusOf(state, this.history, { nowMs, bootMs });
    return {
      isReady: readinessOf(state, nowMs).ready,
      feedsWatchdog: isFresh(state, nowMs),
      isOutOfDate: systemdStatusOf(state, nowMs).words.startsWith('not ready'),
      ages: [status.sample?.ageMs, ...status.namespaces.map(({ ageMs }) => ageMs)],
    };
  }
}

const fresh = (ageMs: number) => ({
  ...{ isReady: true, feedsWatchdog: true, isOutOfDate: false, ages: [ageMs, ageMs] },
});
const stale = (ageMs: number) => ({
  ...{ isReady: false, feedsWatchdog: false, isOutOfDate: true, ages: [ageMs, ageMs] },
});

describe.each([
  ['forward', DAY_MS],
  ['back', -DAY_MS],
])('the clock of the machine, set %s by a day', (_, byMs) => {
  it('makes no sample old', () => {
    const machine = new Machine();
    machine.samples();
    machine.passes(2000);
    machine.isSet(byMs);
    expect(machine.says).toEqual(fresh(2000));
    machine.samples();
    expect(machine.says).toEqual(fresh(0));
  });

  it('does not hide that samples no longer arrive', () => {
    const machine = new Machine();
    machine.samples();
    machine.passes(4 * INTERVAL_MS);
    machine.isSet(byMs);
    expect(machine.says).toEqual(stale(4 * INTERVAL_MS));
  });

  it('leaves the last hour as it is', () => {
    const machine = new Machine();
    machine.samples();
    machine.isSet(byMs);
    machine.passes(INTERVAL_MS);
    machine.samples();
    const { hour } = statusOf(machine.state, machine.history, {
      nowMs: machine.monotonicMs,
      bootMs: machine.bootMs,
    });
    const known = hour?.timeline.sockets.filter(({ value }) => !Number.isNaN(value));
    expect(known?.length).toBeGreaterThan(0);
    expect(known?.length).toBeLessThanOrEqual(2);
  });
});

describe('a machine that was suspended for two hours', () => {
  it('is ready when it wakes, and feeds its watchdog', () => {
    const machine = new Machine();
    machine.samples();
    machine.passes(2000);
    machine.isSuspended(2 * HOUR_MS);
    expect(machine.says).toEqual(fresh(2000));
  });

  it('has nothing in its last hour of what was before', () => {
    const machine = new Machine();
    machine.samples();
    expect(machine.history.peaks(machine.bootMs)).toHaveLength(1);
    machine.isSuspended(2 * HOUR_MS);
    expect(machine.history.peaks(machine.bootMs)).toEqual([]);
    machine.samples();
    const { sockets } = machine.history.timeline('host', machine.bootMs) ?? {};
    expect(sockets?.filter(({ value }) => !Number.isNaN(value))).toHaveLength(1);
  });
});

it('the turn that a namespace waited for adds to its age', () => {
  const machine = new Machine();
  machine.samples();
  const { state } = machine;
  if (state.kind !== 'sampled') throw new Error('no sample');
  machine.state = { ...state, snapshot: { ...state.snapshot, completedAtMs: machine.bootMs + 7000 } };
  machine.passes(2000);
  expect(machine.says.ages).toEqual([2000, 9000]);
});
