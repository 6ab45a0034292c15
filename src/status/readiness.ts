import { formatDuration } from '../base/duration.ts';
import { ownFailure } from '../snapshot/failure.ts';
import { ageOf, type SamplingState } from '../snapshot/samplingState.ts';

export interface Readiness {
  readonly ready: boolean;
  /** One line. */
  readonly reason: string;
}

/** How many of its intervals a sample stays fresh. */
const FRESH_INTERVALS = 3;
/** Short intervals are allowed the jitter of a busy machine. */
const LEAST_FRESH_MS = 2000;

/** Ready means a fresh sample in which every collector of the own namespace succeeded. `nowMs` is by monotonicMs(). */
export function readinessOf(state: SamplingState, nowMs: number): Readiness {
  if (state.kind === 'failed') return { ready: false, reason: state.reason };
  const age = formatDuration(ageOf(state, nowMs));
  if (!isFresh(state, nowMs)) return { ready: false, reason: `the last sample is ${age} old` };
  const failed = ownFailure(state.snapshot);
  if (failed !== undefined) {
    return {
      ready: false,
      reason: `collector ${failed.collector} of ${failed.netns} failed: ${failed.error}`,
    };
  }
  return { ready: true, reason: `the last sample is ${age} old` };
}

/**
 * Samples arrive, whether or not all collectors succeed in them; a stretched interval gives them longer. `nowMs` is by
 * monotonicMs(): a suspension is no silence, and who sets the clock of the machine neither ages a sample nor hides that none
 * arrives.
 */
export function isFresh(state: SamplingState, nowMs: number): boolean {
  if (state.kind === 'failed') return false;
  const freshMs = FRESH_INTERVALS * state.snapshot.intervalSeconds * 1000;
  return ageOf(state, nowMs) <= Math.max(freshMs, LEAST_FRESH_MS);
}
