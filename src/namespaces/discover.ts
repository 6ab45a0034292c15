import { readdirSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorCode } from '../base/errors.ts';
import { isAbsent, isRefused } from '../base/ifReadable.ts';
import { whyDenied } from '../kernel/capabilities.ts';
import type { FoundNamespace } from './found.ts';

export interface Discovery {
  /** Each namespace once. */
  readonly found: readonly FoundNamespace[];
  /** Why some may be missing: a line each, the same as long as the reason is. */
  readonly obstacles: readonly string[];
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
  const denied: number[] = [];
  const pids = pidsOf(procfs);
  if (pids[0] !== 1) obstacles.add(`${procfs} hides processes (hidepid=): ${whyDenied(['CAP_SYS_PTRACE'])}`);
  for (const pid of pids) {
    const path = join(procfs, String(pid), 'ns/net');
    const inode = inodeOfLink(path);
    if (typeof inode === 'string') denied.push(pid);
    else if (inode !== undefined && !byInode.has(inode))
      byInode.set(inode, { inode, path, pid, name: undefined });
  }
  if (denied[0] !== undefined) obstacles.add(linkObstacle(procfs, denied[0]));
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
    throw new ExporterError(`reading the directory ${procfs}: ${errorCode(error)}`);
  }
}

/** undefined where the process is gone, an errno's name where the link is not ours to read. */
function inodeOfLink(path: string): number | string | undefined {
  try {
    return parseNamespaceLink(readlinkSync(path));
  } catch (error) {
    return refusalOf(error);
  }
}

/** An errno's name where the directory, which is root's own, is there and cannot be read. */
function namesIn(directory: string): string[] | string {
  try {
    return readdirSync(directory).toSorted();
  } catch (error) {
    return isAbsent(error) ? [] : (errorCode(error) ?? '');
  }
}

/** undefined where no namespace is mounted there, any more or yet, or a loop of links is; an errno's name where one may not look. */
function inodeOfMount(path: string): number | string | undefined {
  try {
    return statfsSync(path).type === NSFS_MAGIC ? statSync(path).ino : undefined;
  } catch (error) {
    return refusalOf(error);
  }
}

/** The errno where privilege is missing; undefined for any other, which is of this entry alone. */
function refusalOf(error: unknown): string | undefined {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return isRefused(error) ? code : undefined;
}
