import { errorCode } from '../base/errors.ts';

/** ESRCH from /proc of a process that ended, ENODEV from a cgroup that was removed. */
const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ESRCH', 'ENODEV', 'ENOTDIR']);
const REFUSED: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM']);

/** Whether something failed because its object went away while it was looked at, which is no failure. */
export function isGone(thrown: unknown): boolean {
  return GONE.has(errorCode(thrown));
}

/** Whether something failed for lack of privilege. */
export function isRefused(thrown: unknown): boolean {
  return REFUSED.has(errorCode(thrown));
}

/** What `look` returns; undefined where its object is gone or not ours to see. */
export function ifVisible<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (thrown) {
    if (isGone(thrown) || isRefused(thrown)) return undefined;
    throw thrown;
  }
}
