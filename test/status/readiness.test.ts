import { expect, it } from 'vitest';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import { type Readiness, readinessOf } from '../../src/status/readiness.ts';
import { snapshotOf } from '../sampling/fakes.ts';

function sampled(intervalSeconds: number, tcpError?: string): SamplingState {
  const outcomes = { range: undefined, tcp: tcpError };
  return { kind: 'sampled', snapshot: snapshotOf(outcomes, { intervalSeconds }), receivedAtMs: 1000 };
}

it.each<[string, SamplingState, number, Readiness]>([
  [
    'no sample',
    { kind: 'failed', reason: 'no sample taken yet', collectors: [] },
    0,
    { ready: false, reason: 'no sample taken yet' },
  ],
  ['a fresh sample', sampled(5), 1250, { ready: true, reason: 'the last sample is 250ms old' }],
  ['one from the future', sampled(5), 0, { ready: true, reason: 'the last sample is 0s old' }],
  ['three intervals', sampled(5), 16_000, { ready: true, reason: 'the last sample is 15s old' }],
  ['more', sampled(5), 16_001, { ready: false, reason: 'the last sample is 15s1ms old' }],
  [
    'the jitter of a short interval',
    sampled(0.01),
    3000,
    { ready: true, reason: 'the last sample is 2s old' },
  ],
  ['no more than that', sampled(0.01), 3001, { ready: false, reason: 'the last sample is 2s1ms old' }],
  [
    'a failed collector',
    sampled(5, 'dump: ENOBUFS'),
    1000,
    { ready: false, reason: 'collector tcp of host failed: dump: ENOBUFS' },
  ],
])('%s', (_, state, nowMs, expected) => {
  expect(readinessOf(state, nowMs)).toEqual(expected);
});
