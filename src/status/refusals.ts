import type { RefusalEvent } from '../snapshot/refusals.ts';
import { RECENT_MS } from './recentRefusals.ts';
import type { NamespaceCall, RefusalState } from './refusalLedger.ts';
import { REGIMES } from './regimes.ts';

/** Calls that fail now, or did a few minutes ago. */
export interface RefusalsStatus {
  /** Of the last RECENT_MS: those that were refused last first. */
  readonly calls: readonly RefusedNow[];
  /** The last refused calls, newest first, as far as they are recent. */
  readonly events: readonly RefusedShown[];
}

export interface RefusedShown extends Omit<RefusalEvent, 'atMs'> {
  readonly error: string;
  readonly ageMs: number;
}

export interface RefusedNow extends NamespaceCall {
  /** What the applications get. */
  readonly error: string;
  /** In the last RECENT_MS. */
  readonly count: number;
  /** Since the last one. */
  readonly ageMs: number;
}

/**
 * undefined where nothing was refused lately, as far as that is known.
 *
 * @param nowMs by monotonicMs()
 * @param epochMs the same moment, since the epoch
 */
export function refusalsOf(
  { recent, events }: RefusalState,
  nowMs: number,
  epochMs: number,
): RefusalsStatus | undefined {
  const calls = recent
    .flatMap(({ netns, protocol, scope, times }) => {
      const news = times.filter(({ atMs }) => nowMs - atMs <= RECENT_MS);
      const last = news.at(-1);
      if (last === undefined) return [];
      const count = news.reduce((sum, one) => sum + one.count, 0);
      const ageMs = Math.max(0, nowMs - last.atMs);
      return [{ netns, protocol, scope, error: errorOf({ protocol, scope }), count, ageMs }];
    })
    .toSorted((a, b) => a.ageMs - b.ageMs || b.count - a.count);
  if (calls.length === 0) return undefined;
  return {
    calls,
    events: events
      .map(({ atMs, ...event }) => ({
        ...event,
        error: errorOf(event),
        ageMs: Math.max(0, epochMs - atMs),
      }))
      .filter(({ ageMs }) => ageMs <= RECENT_MS),
  };
}

function errorOf(call: Pick<NamespaceCall, 'protocol' | 'scope'>): string {
  return (
    REGIMES.find(({ protocol, scope }) => protocol === call.protocol && scope === call.scope)?.error ?? ''
  );
}
