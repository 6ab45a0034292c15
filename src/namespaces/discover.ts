import { readdirSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorCode } from '../base/errors.ts';
import type { FoundNamespace } from './found.ts';

export interface Discovery {
  /** Each namespace once. */
  readonly found: readonly FoundNamespace[];
  /** Why some may be missing: a line each, the same as long as the reason is. */
  readonly obstacles: readonly string[];
}

/** NSFS_MAGIC of `include/uapi/linux/magic.h`: what a file in /run/netns is while a namespace is mounted on it. */
const NSFS_MAGIC = 0x6e736673;
/** What happens to processes and names while one looks at them. */
const GONE = ['ENOENT', 'ESRCH', 'ENOTDIR'];
const REFUSED = ['EACCES', 'EPERM'];

/**
 * Every network namespace that a process is in or `ip netns` has a name for.
 *
 * @param netnsDirectory where the names are, /run/netns; it may not exist
 */
export function discoverNamespaces(procfs: string, netnsDirectory: string): Discovery {
  const byInode = new Map<number, FoundNamespace>();
  const obstacles = new Set<string>();
  const pids = pidsOf(procfs);
  if (pids[0] !== 1) obstacles.add(`${procfs} hides processes (hidepid=): to see them needs CAP_SYS_PTRACE`);
  for (const pid of pids) {
    const path = join(procfs, String(pid), 'ns/net');
    const inode = inodeOfLink(path);
    if (typeof inode === 'string') obstacles.add(linkObstacle(procfs, inode));
    else if (inode !== undefined && !byInode.has(inode))
      byInode.set(inode, { inode, path, pid, name: undefined });
  }
  const names = namesIn(netnsDirectory);
  if (typeof names === 'string') obstacles.add(`reading the directory ${netnsDirectory}: ${names}`);
  for (const name of typeof names === 'string' ? [] : names) {
    const path = join(netnsDirectory, name);
    const inode = inodeOfMount(path);
    if (typeof inode === 'string') obstacles.add(`statfs() of ${path}: ${inode}`);
    if (typeof inode !== 'number') continue;
    // A process may end between the look and the entry, a name seldom goes: it is the better way in.
    const known = byInode.get(inode);
    if (known?.name === undefined) byInode.set(inode, { inode, path, pid: known?.pid, name });
  }
  return { found: [...byInode.values()], obstacles: [...obstacles] };
}

/** The inode in `net:[4026531840]`; undefined for anything else. */
export function parseNamespaceLink(link: string): number | undefined {
  const [, inode] = /^net:\[(\d{1,15})\]$/.exec(link) ?? [];
  return inode === undefined ? undefined : Number(inode);
}

/** Not which of them: processes come and go, and one line says it all. */
function linkObstacle(procfs: string, code: string): string {
  const needs = REFUSED.includes(code) ? ' (to read all of them needs CAP_SYS_PTRACE)' : '';
  return `readlink() of ${procfs}/<pid>/ns/net: ${code}${needs}`;
}

/** Lowest first. */
function pidsOf(procfs: string): number[] {
  try {
    return readdirSync(procfs)
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .toSorted((a, b) => a - b);
  } catch (error) {
    throw new ExporterError(`reading the directory ${procfs}: ${errorCode(error)}`);
  }
}

/** undefined where the process is gone, an errno's name where the link cannot be read. */
function inodeOfLink(path: string): number | string | undefined {
  try {
    return parseNamespaceLink(readlinkSync(path));
  } catch (error) {
    return codeUnlessGone(error);
  }
}

/** An errno's name where they cannot be read. */
function namesIn(directory: string): string[] | string {
  try {
    return readdirSync(directory).toSorted();
  } catch (error) {
    return codeUnlessGone(error) ?? [];
  }
}

/** undefined where no namespace is mounted there, any more or yet; an errno's name where one cannot look. */
function inodeOfMount(path: string): number | string | undefined {
  try {
    return statfsSync(path).type === NSFS_MAGIC ? statSync(path).ino : undefined;
  } catch (error) {
    return codeUnlessGone(error);
  }
}

function codeUnlessGone(error: unknown): string | undefined {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return GONE.includes(code) ? undefined : code;
}
