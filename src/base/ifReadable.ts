import { ExporterError, errorCode } from './errors.ts';

const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ESRCH']);
const REFUSED: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM']);

/** Whether something failed because it is not there, or vanished meanwhile: a file, a process. */
export function isAbsent(thrown: unknown): boolean {
  return ABSENT.has(errorCode(thrown));
}

/** Whether something failed for lack of privilege. */
export function isRefused(thrown: unknown): boolean {
  return REFUSED.has(errorCode(thrown));
}

/** Of descriptors or memory, for now. */
const SHORTAGE: ReadonlySet<string | undefined> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOBUFS',
  'EAGAIN',
]);

/** Whether something failed, itself or its cause, that may succeed the next time: it tells nothing of what was looked at. */
export function isShortage(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return SHORTAGE.has(errorCode(thrown)) || (cause !== undefined && isShortage(cause));
}

/**
 * What `look` returns; undefined where a system call of it failed, with whatever errno. What is looked at belongs to
 * others: it may end or be hidden meanwhile, have a path longer than PATH_MAX (readlink() of a descriptor: ENAMETOOLONG),
 * or be made to fail in ways that nobody thought of. None of that is a failure of the exporter's. Defects are thrown on.
 */
export function ifReadable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (thrown) {
    if (errorCode(thrown) === undefined) throw thrown;
    return undefined;
  }
}

/** As `ifReadable`, but throws an ExporterError at a shortage: for what is looked at once, and would stay unknown. */
export function ifReadableNow<T>(what: string, look: () => T): T | undefined {
  return ifReadable(() => {
    try {
      return look();
    } catch (cause) {
      throw isShortage(cause) ? new ExporterError(what, { cause }) : cause;
    }
  });
}
