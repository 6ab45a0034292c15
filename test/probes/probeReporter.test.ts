import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ProbeFailure, ProbeOutcome } from '../../src/probes/probe.ts';
import { ProbeReporter } from '../../src/probes/probeReporter.ts';
import type { ProbeTarget } from '../../src/probes/target.ts';
import { recordingLogger } from '../sampling/fakes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function target(name: string): ProbeTarget {
  return { name, host: '2001:db8::1', port: 80, intervalMs: 1000, timeoutMs: 1000 };
}

function outcome(reason?: ProbeFailure, error = 'E'): ProbeOutcome {
  const failure = reason && { reason, error };
  return { failure, resolveSeconds: undefined, connectSeconds: 0, attempts: [] };
}

it('says once what changed', () => {
  const { log, lines } = recordingLogger();
  const reporter = new ProbeReporter(log);
  const said = (...how: [ProbeFailure?, string?]) => {
    reporter.report(target('db'), outcome(...how));
    return lines.splice(0);
  };
  const about = { target: 'db', endpoint: '[2001:db8::1]:80' };
  const failed = (reason: string, error: string) => [['warn', 'probe failed', { ...about, reason, error }]];
  expect(said()).toEqual([]);
  expect(said('refused', 'ECONNREFUSED')).toEqual(failed('refused', 'ECONNREFUSED'));
  expect(said('refused', 'ECONNREFUSED')).toEqual([]);
  expect(said('no_local_port', 'EADDRNOTAVAIL')).toEqual(failed('no_local_port', 'EADDRNOTAVAIL'));
  expect(said()).toEqual([['info', 'probe recovered', about]]);
  expect(said()).toEqual([]);
  said('timeout', 'ETIMEDOUT');
  reporter.forget('db');
  expect(said()).toEqual([]);
});

it('says of a thousand at once that of some, and how many more there are', () => {
  const { log, lines } = recordingLogger();
  const reporter = new ProbeReporter(log);
  const all = (how: ProbeOutcome) => {
    for (let index = 0; index < 1000; index++) reporter.report(target(`t${index}`), how);
    vi.advanceTimersByTime(10_000);
    return lines.splice(0);
  };
  const failed = all(outcome('refused'));
  expect(failed.map(([, message]) => message)).toEqual([
    ...Array<string>(20).fill('probe failed'),
    'further probes changed',
  ]);
  expect(failed.at(-1)?.[2]).toEqual({ failed: 980, recovered: 0, failing_now: 1000 });
  expect(all(outcome('refused'))).toEqual([]);
  expect(all(outcome()).at(-1)?.[2]).toEqual({ failed: 0, recovered: 980, failing_now: 0 });
  reporter.report(target('t1'), outcome('refused'));
  expect(lines.map(([, message]) => message)).toEqual(['probe failed']);
});
