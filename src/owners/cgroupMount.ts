import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorCode, failureText } from '../base/errors.ts';
import { isShortage } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';

/** A line of mountinfo for a file system of type cgroup2. */
export interface CgroupMount {
  /** What is mounted, as a path from the root of the reader's cgroup namespace: `/`, `/system.slice`, `/../..`. */
  readonly root: string;
  readonly mountPoint: string;
}

/** A host with ten thousand containers has about as many MB of mounts. */
const FILE_LIMIT = 64 * 1024 * 1024;

/** Where cgroup v2 can be read, or why it cannot. */
export type CgroupMountSearch =
  | { readonly path: string }
  | {
      readonly path: undefined;
      /** One line. */
      readonly reason: string;
    };

/**
 * The directory where cgroup v2 is mounted: `/sys/fs/cgroup`, on hybrid hosts a directory below it. The mounts are those
 * of this process, whatever root `procfs` shows the processes of. Where they have none, as with the fresh /sys of
 * `ip netns exec`, it is PID 1's, reached through `/proc/1/root`, which takes CAP_SYS_PTRACE. Throws an ExporterError where
 * descriptors or memory are short.
 */
export function findCgroupMount(procfs: string, sysfs: string): CgroupMountSearch {
  for (const directory of ['thread-self', 'self']) {
    const mounts = readMounts(join(procfs, directory, 'mountinfo'), sysfs);
    if (typeof mounts === 'string') continue;
    const path = mounts.find(isCgroupDirectory);
    if (path !== undefined) return { path };
    break;
  }
  const mounts = readMounts(join(procfs, '1/mountinfo'), '/sys');
  if (typeof mounts === 'string') return missing(`PID 1's mounts cannot be read: ${mounts}`);
  const paths = mounts.map((mountPoint) => join(procfs, '1/root', mountPoint));
  const path = paths.find(isCgroupDirectory);
  if (path !== undefined) return { path };
  const [first] = paths;
  return missing(first === undefined ? 'PID 1 has none' : `${first} cannot be read: ${whyNot(first)}`);
}

function missing(why: string): CgroupMountSearch {
  return { path: undefined, reason: `no cgroup v2 is mounted, and ${why}` };
}

/** Mount points, the best first; the errno by name where the file cannot be read. */
function readMounts(path: string, sysfs: string): string[] | string {
  try {
    const bytes = readUpTo(path, FILE_LIMIT);
    return rankCgroupMounts(parseCgroupMounts(bytes), sysfs).map(({ mountPoint }) => mountPoint);
  } catch (thrown) {
    return refusalOf(thrown, `reading ${path}`);
  }
}

/** Another file system mounted over it hides it; cgroup v1 has no such file. */
function isCgroupDirectory(path: string): boolean {
  return whyNot(path) === undefined;
}

/** The errno by name of a look at it; undefined where it is one. */
function whyNot(path: string): string | undefined {
  try {
    statSync(join(path, 'cgroup.controllers'));
    return undefined;
  } catch (thrown) {
    return refusalOf(thrown, `stat() of ${path}`);
  }
}

/** The errno, for a person; thrown on where it passes, since nobody looks again. */
function refusalOf(thrown: unknown, what: string): string {
  if (errorCode(thrown) === undefined) throw thrown;
  if (isShortage(thrown)) throw new ExporterError(what, { cause: thrown });
  return failureText(thrown);
}

/**
 * Documentation/filesystems/proc.rst, 3.5:
 * `36 35 98:0 /root /mount/point rw,noatime shared:1 ... - type source options`.
 * Lines that are anything else are skipped.
 */
export function parseCgroupMounts(bytes: Uint8Array): CgroupMount[] {
  return Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .flatMap((line) => {
      const [before = '', after = ''] = splitOnce(line, ' - ');
      const [type] = after.split(' ', 1);
      const [, , , root, mountPoint] = before.split(' ', 6);
      if (type !== 'cgroup2' || !root?.startsWith('/') || !mountPoint?.startsWith('/')) return [];
      return [{ root: unescapeOctal(root), mountPoint: unescapeOctal(mountPoint) }];
    });
}

/** The best first: below `sysfs`, then the one that shows most of the tree, then as mounted, the last on top. */
export function rankCgroupMounts(mounts: readonly CgroupMount[], sysfs: string): CgroupMount[] {
  const prefix = `${sysfs.replace(/\/+$/, '')}/`;
  const rank = ({ root, mountPoint }: CgroupMount) =>
    (mountPoint.startsWith(prefix) ? 1_000_000 : 0) + shownLevels(root);
  return mounts.toReversed().sort((a, b) => rank(b) - rank(a));
}

/**
 * In a cgroup namespace the kernel shows an ancestor of its root as `/..`, `/../..`: a container that was given its
 * host's mount sees it so, beside its own as `/`. Any other root is a part of the tree.
 */
function shownLevels(root: string): number {
  return /^(\/\.\.)*\/?$/.test(root) ? 1 + root.split('..').length : 0;
}

/** mangle_path() of fs/seq_file.c writes space, tab, newline and backslash as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-3][0-7]{2})/g, (_, digits) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
