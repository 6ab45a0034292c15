import type { PortCall, RefusalEvent } from '../snapshot/refusals.ts';
import { RECENT_MS } from './recentRefusals.ts';
import type { NamespaceCall, RefusalState } from './refusalLedger.ts';
import { REGIMES } from './regimes.ts';

/** Calls that fail now, or did a few minutes ago. */
export interface RefusalsStatus {
  /** Of the last RECENT_MS: those that were refused last first. */
  readonly calls: readonly RefusedNow[];
  /** Whose the last refused calls were, newest first, as far as they are recent. */
  readonly callers: readonly RefusedCaller[];
}

/** Calls of one process from one address to another. */
export interface RefusedCaller extends Omit<RefusalEvent, 'atMs' | 'isLikely'> {
  /** Of the last refused calls so many are its. */
  readonly count: number;
  /** Since the last one. */
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
    callers: callersOf(
      events.filter(({ atMs }) => epochMs - atMs <= RECENT_MS),
      epochMs,
    ),
  };
}

/** @param events newest first */
function callersOf(events: readonly RefusalEvent[], epochMs: number): RefusedCaller[] {
  const callers = new Map<string, RefusedCaller>();
  for (const { atMs, isLikely: _, ...caller } of events) {
    const key = JSON.stringify(caller);
    const known = callers.get(key) ?? { ...caller, count: 0, ageMs: Math.max(0, epochMs - atMs) };
    callers.set(key, { ...known, count: known.count + 1 });
  }
  return [...callers.values()];
}

/** What the application gets, errno by name. */
export function errorOf(call: PortCall): string {
  return (
    REGIMES.find(({ protocol, scope }) => protocol === call.protocol && scope === call.scope)?.error ?? ''
  );
}
