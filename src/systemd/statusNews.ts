import type { Status } from './status.ts';

/** A status is a process of its own, which takes some milliseconds. */
export const STATUS_CHECK_MS = 10_000;
/** What changes little is brought up to date now and then. */
const REFRESH_MS = 5 * 60_000;
/** Share of the ports that has to be taken or given back until it is news. */
const NOTABLE_CHANGE = 0.01;

/** Whether `status` is worth saying, so long after `last` was said. */
export function isNews(status: Status, last: Status, elapsedMs: number): boolean {
  if (status.words === last.words) return false;
  const changed = status.subject !== last.subject || Math.abs(status.ratio - last.ratio) >= NOTABLE_CHANGE;
  return changed ? elapsedMs >= STATUS_CHECK_MS : elapsedMs >= REFRESH_MS;
}
