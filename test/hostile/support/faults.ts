import type * as fs from 'node:fs';
import { constants } from 'node:os';
import { KernelError } from '../../../src/base/errors.ts';
import type { Libc } from '../../../src/kernel/libc.ts';

/** One call that is made while calls are watched. */
export interface Call {
  /** `openSync`, `libc.setns`, `Dir.readSync`. */
  readonly what: string;
  /** Where it is made, with the functions of src/ that led there. */
  readonly site: string;
}

/** What is to fail: the n-th call from that site, counted from 0. */
export interface Fault extends Call {
  readonly occurrence: number;
  readonly code: keyof typeof constants.errno;
}

interface Watch {
  readonly fault: Fault | undefined;
  /** Of `fault`, so far. */
  occurrences: number;
  made: boolean;
  readonly seen: Call[];
}

let watch: Watch | undefined;

/** Runs `act` → the calls that were made meanwhile; none fails. */
export function watchCalls(act: () => void): readonly Call[] {
  return watching(undefined, act).seen;
}

/** Runs `act`, in which one call fails as if the kernel had refused it → whether it came to that call. */
export function withFault(fault: Fault, act: () => void): boolean {
  return watching(fault, act).made;
}

function watching(fault: Fault | undefined, act: () => void): Watch {
  const started = { fault, occurrences: 0, made: false, seen: [] };
  watch = started;
  try {
    act();
  } finally {
    watch = undefined;
  }
  return started;
}

/** The errno with which this call is to fail; undefined where it is to be made. */
function failing(what: string): Fault['code'] | undefined {
  if (watch === undefined) return undefined;
  const { fault } = watch;
  if (fault === undefined) {
    watch.seen.push({ what, site: siteOf() });
    return undefined;
  }
  const isDue = !watch.made && fault.what === what && fault.site === siteOf();
  if (!isDue || watch.occurrences++ < fault.occurrence) return undefined;
  watch.made = true;
  return fault.code;
}

/** The frames in src/, innermost first: `readAt kernel/procfs.ts:106 < readWhole kernel/procfs.ts:97 < …`. */
function siteOf(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = before;
  const frames = stack.split('\n').flatMap((line) => {
    const [, name = '', path] =
      /^ *at (?:(?:new )?(\S+) \()?.*\/src\/([\w/]+\.ts:\d+):\d+\)?$/.exec(line) ?? [];
    return path === undefined ? [] : [`${name} ${path}`.trim()];
  });
  return frames.join(' < ');
}

/** As `node:fs` throws it. */
function fsError(syscall: string, code: Fault['code']): Error {
  const error = new Error(`${code}: injected, ${syscall}`);
  return Object.assign(error, { code, errno: -constants.errno[code], syscall });
}

const OPENERS = [
  ...['openSync', 'readSync', 'readFileSync', 'readlinkSync', 'readdirSync'],
  ...['opendirSync', 'statSync', 'lstatSync', 'fstatSync', 'statfsSync'],
] as const;

/** `node:fs`, of which each call may be told to fail. */
export function faultyFs(real: typeof fs): typeof fs {
  const wrapped: Record<string, unknown> = {};
  for (const name of OPENERS) {
    const call = real[name] as (...args: unknown[]) => unknown;
    wrapped[name] = (...args: unknown[]) => {
      const code = failing(name);
      if (code !== undefined) throw fsError(name.replace(/Sync$/, ''), code);
      const result = call(...args);
      return name === 'opendirSync' ? faultyDirectory(result as fs.Dir) : result;
    };
  }
  // It throws nothing: what cannot be looked at is not there.
  wrapped['existsSync'] = (path: fs.PathLike) => failing('existsSync') === undefined && real.existsSync(path);
  return { ...real, ...wrapped, default: { ...real, ...wrapped } } as unknown as typeof fs;
}

function faultyDirectory(directory: fs.Dir): fs.Dir {
  const readSync = directory.readSync.bind(directory);
  directory.readSync = () => {
    const code = failing('Dir.readSync');
    if (code !== undefined) throw fsError('readdir', code);
    return readSync();
  };
  return directory;
}

const CALLS = ['socket', 'bind', 'connect', 'setsockopt', 'send', 'sendto', 'recv', 'setns'] as const;

/** The C library, of which each call may be told to fail. */
export function faultyLibc(real: Libc): Libc {
  const wrapped: Record<string, unknown> = {};
  for (const name of CALLS) {
    const call = real[name] as (...args: unknown[]) => unknown;
    wrapped[name] = (...args: unknown[]) => {
      const code = failing(`libc.${name}`);
      if (code !== undefined) throw new KernelError(`${name}()`, constants.errno[code]);
      return call(...args);
    };
  }
  return { ...real, ...wrapped } as Libc;
}
