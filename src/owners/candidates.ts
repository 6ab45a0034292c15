import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorCode } from '../base/errors.ts';
import { ifReadableNow, isShortage } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';

/** The most processes Linux allows are 2^22, of up to 8 bytes each here. */
const FILE_LIMIT = 32 * 1024 * 1024;

/**
 * The pids that may hold a socket of this cgroup, likeliest first. Without a cgroup, or where the hierarchy is not
 * mounted, nothing narrows it down and it is every process of `procfs`. Throws an ExporterError where descriptors or memory are
 * short.
 */
export function candidatePids(
  procfs: string,
  cgroupMount: string | undefined,
  cgroupPath: string | undefined,
): number[] {
  if (cgroupMount === undefined || cgroupPath === undefined) return everyPid(procfs);
  const pids = [cgroupPath, ...activatedBy(cgroupPath)].flatMap((path) => pidsIn(cgroupMount, path));
  return [...new Set(pids)];
}

/**
 * systemd opens the sockets of `ssh.socket` inside that unit's cgroup, where no process stays. They are in the hands of
 * the service, once it runs, and all the time in those of the systemd that opened them.
 */
function activatedBy(cgroupPath: string): string[] {
  const [, directory = '', name] = /^(.*\/)([^/]+)\.socket$/.exec(cgroupPath) ?? [];
  if (name === undefined) return [];
  const [userManager = ''] = /^.*\/user@[^/]+\.service(?=\/)/.exec(directory) ?? [];
  return [`${directory}${name}.service`, `${userManager}/init.scope`];
}

/** A threaded cgroup has no cgroup.procs to read (EOPNOTSUPP): its processes are listed above it. */
function pidsIn(cgroupMount: string, cgroupPath: string): number[] {
  try {
    return parsePids(readUpTo(join(cgroupMount, cgroupPath, 'cgroup.procs'), FILE_LIMIT));
  } catch (thrown) {
    const code = errorCode(thrown);
    if (code === undefined) throw thrown;
    if (isShortage(thrown))
      throw new ExporterError(`reading the processes of ${cgroupPath}`, { cause: thrown });
    const isThreaded = code === 'EOPNOTSUPP' || code === 'ENOTSUP';
    return isThreaded && cgroupPath !== '/' ? pidsIn(cgroupMount, join(cgroupPath, '..')) : [];
  }
}

/**
 * cgroup.procs is neither sorted nor free of repetitions (Documentation/admin-guide/cgroup-v2.rst), and shows 0 for a
 * process outside of the reader's pid namespace.
 */
export function parsePids(bytes: Uint8Array): number[] {
  const pids = Buffer.from(bytes)
    .toString('latin1')
    .split('\n')
    .filter((line) => /^[1-9]\d{0,9}$/.test(line));
  return [...new Set(pids.map(Number))].sort((a, b) => a - b);
}

function everyPid(procfs: string): number[] {
  const names = ifReadableNow(`reading the directory ${procfs}`, () => readdirSync(procfs)) ?? [];
  return parsePids(Buffer.from(names.join('\n')));
}
