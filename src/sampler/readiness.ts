import { formatDuration } from '../base/duration.ts';
import { ownFailure } from './failure.ts';
import type { SamplingState } from './state.ts';

export interface Readiness {
  readonly ready: boolean;
  /** One line. */
  readonly reason: string;
}

/** How many of its intervals a sample stays fresh. */
const FRESH_INTERVALS = 3;

/** Ready means a fresh sample in which every collector of the own namespace succeeded. */
export function readinessOf(state: SamplingState, nowMs: number): Readiness {
  if (state.kind === 'failed') return { ready: false, reason: state.reason };
  const { timestampMs, intervalSeconds } = state.snapshot;
  const ageMs = Math.max(0, Math.round(nowMs - timestampMs));
  const age = formatDuration(ageMs);
  if (ageMs > Math.max(FRESH_INTERVALS * intervalSeconds * 1000, LEAST_FRESH_MS)) {
    return { ready: false, reason: `the last sample is ${age} old` };
  }
  const failed = ownFailure(state.snapshot);
  if (failed !== undefined) {
    return {
      ready: false,
      reason: `collector ${failed.collector} of ${failed.netns} failed: ${failed.error}`,
    };
  }
  return { ready: true, reason: `the last sample is ${age} old` };
}

/** Short intervals are allowed the jitter of a busy machine. */
const LEAST_FRESH_MS = 2000;
