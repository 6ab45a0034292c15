import type { PortCall, RefusedCalls } from '../snapshot/refusals.ts';

/** How long a refusal is news. */
export const RECENT_MS = 15 * 60_000;
/** Refusals within so long are added up. */
const GRAIN_MS = 10_000;

/** Refusals of one kind, of the last RECENT_MS. */
export interface RecentlyRefused extends PortCall {
  readonly netns: string;
  /** In turn, each of a moment of monotonicMs(): several within GRAIN_MS count as one, of the last. */
  readonly times: readonly { readonly atMs: number; readonly count: number }[];
}

/** When calls were refused, as long as that is news. */
export class RecentRefusals {
  readonly #byCall = new Map<string, RecentlyRefused & { times: { atMs: number; count: number }[] }>();

  add({ netns, protocol, scope, count }: RefusedCalls, nowMs: number): void {
    const key = `${protocol} ${scope} ${netns}`;
    const known = this.#byCall.get(key) ?? { netns, protocol, scope, times: [] };
    const last = known.times.at(-1);
    const isSameGrain =
      last !== undefined && Math.floor(last.atMs / GRAIN_MS) === Math.floor(nowMs / GRAIN_MS);
    const times = isSameGrain
      ? [...known.times.slice(0, -1), { atMs: nowMs, count: last.count + count }]
      : [...known.times, { atMs: nowMs, count }];
    this.#byCall.set(key, { ...known, times });
    this.#forget(nowMs);
  }

  all(): RecentlyRefused[] {
    return [...this.#byCall.values()];
  }

  #forget(nowMs: number): void {
    for (const [key, known] of this.#byCall) {
      const times = known.times.filter(({ atMs }) => nowMs - atMs <= RECENT_MS);
      if (times.length === 0) this.#byCall.delete(key);
      else if (times.length < known.times.length) this.#byCall.set(key, { ...known, times });
    }
  }
}
