import { readdirSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errnoInWords, errorCode, failureText } from '../base/errors.ts';
import { isAbsent, isRefused, isShortage } from '../base/ifReadable.ts';
import { whyDenied } from '../kernel/capabilities.ts';
import type { FoundNamespace } from './found.ts';

export interface Discovery {
  /** Each namespace once. */
  readonly found: readonly FoundNamespace[];
  /** Why some may be missing: a line each, the same as long as the reason is. */
  readonly obstacles: readonly string[];
  /**
   * Paths that could not be looked at this time: of a namespace, or of the directory with the names. What was found there
   * before may still be there.
   */
  readonly unread: ReadonlySet<string>;
}

/** NSFS_MAGIC of `include/uapi/linux/magic.h`: what a file in /run/netns is while a namespace is mounted on it. */
const NSFS_MAGIC = 0x6e736673;

/**
 * Every network namespace that a process is in or `ip netns` has a name for.
 *
 * @param netnsDirectory where the names are, /run/netns; it may not exist
 */
export function discoverNamespaces(procfs: string, netnsDirectory: string): Discovery {
  const byInode = new Map<number, FoundNamespace>();
  const obstacles = new Set<string>();
  const unread = new Set<string>();
  const denied: number[] = [];
  const pids = pidsOf(procfs);
  if (pids[0] !== 1) obstacles.add(`${procfs} hides processes (hidepid=): ${whyDenied(['CAP_SYS_PTRACE'])}`);
  for (const pid of pids) {
    const path = join(procfs, String(pid), 'ns/net');
    const inode = lookAt(() => parseNamespaceLink(readlinkSync(path)));
    if (inode === 'EACCES' || inode === 'EPERM') denied.push(pid);
    else if (typeof inode === 'string') {
      // One line for all of them, however many processes there are.
      if (unread.size === 0) obstacles.add(`readlink() of ${path}: ${errnoInWords(inode)}`);
      unread.add(path);
    } else if (inode !== undefined && !byInode.has(inode))
      byInode.set(inode, { inode, path, pid, name: undefined });
  }
  if (denied[0] !== undefined) obstacles.add(linkObstacle(procfs, denied[0]));
  for (const name of namesIn(netnsDirectory, obstacles, unread)) {
    const path = join(netnsDirectory, name);
    const inode = lookAt(() => (statfsSync(path).type === NSFS_MAGIC ? statSync(path).ino : undefined));
    if (typeof inode === 'string') {
      obstacles.add(`statfs() of ${path}: ${errnoInWords(inode)}`);
      unread.add(path);
    }
    if (typeof inode !== 'number') continue;
    // A process may end between the look and the entry, a name seldom goes: it is the better way in.
    const known = byInode.get(inode);
    if (known?.name === undefined) byInode.set(inode, { inode, path, pid: known?.pid, name });
  }
  return { found: [...byInode.values()], obstacles: [...obstacles], unread };
}

/** Where `ip netns` keeps its names; of another proc than our own, those of its PID 1's machine. */
export function netnsDirectoryOf(procfs: string): string {
  return procfs === '/proc' ? '/run/netns' : join(procfs, '1/root/run/netns');
}

/** The inode in `net:[4026531840]`; undefined for anything else. */
export function parseNamespaceLink(link: string): number | undefined {
  const [, inode] = /^net:\[(\d{1,15})\]$/.exec(link) ?? [];
  return inode === undefined ? undefined : Number(inode);
}

/** Only the lowest of them: the others come and go, and one line says it all. */
function linkObstacle(procfs: string, pid: number): string {
  return `readlink() of ${procfs}/<pid>/ns/net: ${whyDenied(['CAP_SYS_PTRACE'])}: pid ${pid}`;
}

/** Lowest first. */
function pidsOf(procfs: string): number[] {
  try {
    return readdirSync(procfs)
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .toSorted((a, b) => a - b);
  } catch (error) {
    throw new ExporterError(`reading the directory ${procfs}: ${failureText(error)}`);
  }
}

/** The directory is root's own: whatever the errno, it is told. */
function namesIn(directory: string, obstacles: Set<string>, unread: Set<string>): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (error) {
    if (isAbsent(error)) return [];
    obstacles.add(`reading the directory ${directory}: ${failureText(error)}`);
    unread.add(directory);
    return [];
  }
}

/**
 * An errno's name where one may not look, or could not this time. undefined for any other, which is of this entry alone: the
 * process is gone, no namespace is mounted there, any more or yet, or a loop of links is.
 */
function lookAt(look: () => number | undefined): number | string | undefined {
  try {
    return look();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return isRefused(error) || isShortage(error) ? code : undefined;
  }
}
