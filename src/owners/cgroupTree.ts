import { lstatSync, readdirSync } from 'node:fs';
import { ifReadable } from '../base/ifReadable.ts';

/** cgroup id → path below the mount, `/system.slice/nginx.service`; the mount itself is `/`. */
export type CgroupTree = ReadonlyMap<number, string>;

export interface TreeLimits {
  readonly depth: number;
  readonly cgroups: number;
  /** Of a path below the mount, in UTF-16 units. */
  readonly pathLength: number;
}

/** Several times the deepest, largest and longest known from Kubernetes nodes: whoever may make cgroups can make any. */
const LIMITS: TreeLimits = { depth: 64, cgroups: 50_000, pathLength: 1024 };

/**
 * Every cgroup below a cgroup v2 mount, widest first, so that what a limit leaves out is the deepest. A cgroup's id is
 * the inode number of its directory: 64 bits that count up (kernfs_get_inode of fs/kernfs/inode.c), as a double exact
 * for the first 2^53. Directories that vanish half-way are left out, and so are those whose names are not UTF-8.
 */
export function walkCgroups(mount: string, { depth, cgroups, pathLength }: TreeLimits = LIMITS): CgroupTree {
  const tree = new Map<number, string>();
  const root = stat(mount);
  if (root === undefined) return tree;
  tree.set(root.ino, '/');
  let level = [''];
  for (let below = 0; below < depth && level.length > 0; below++) {
    const next: string[] = [];
    for (const parent of level) {
      for (const name of directoriesIn(mount + parent)) {
        const path = `${parent}/${name}`;
        if (path.length > pathLength) continue;
        const stats = stat(mount + path);
        // Whatever is mounted below numbers its directories in its own way.
        if (stats === undefined || stats.dev !== root.dev) continue;
        tree.set(stats.ino, path);
        if (tree.size >= cgroups) return tree;
        if (stats.nlink !== LEAF_LINKS) next.push(path);
      }
    }
    level = next;
  }
  return tree;
}

/**
 * `.` and the entry in its parent: kernfs counts one more for each directory below. Most cgroups are leaves of some
 * fifty files, so that not listing those is what makes a walk cheap. (Overlay and btrfs show 1 for every directory.)
 */
const LEAF_LINKS = 2;

function stat(path: string): { ino: number; dev: number; nlink: number } | undefined {
  return ifReadable(() => lstatSync(path, { throwIfNoEntry: false }));
}

function directoriesIn(path: string): string[] {
  const entries = ifReadable(() => readdirSync(path, { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
