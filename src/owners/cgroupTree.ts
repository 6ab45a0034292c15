import { lstatSync, opendirSync } from 'node:fs';
import { ifReadableNow } from '../base/ifReadable.ts';
import { isCommonGround } from './tenant.ts';

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
 * Every cgroup below a cgroup v2 mount. A cgroup's id is the inode number of its directory: 64 bits that count up
 * (kernfs_get_inode of fs/kernfs/inode.c), as a double exact for the first 2^53. Directories that vanish half-way are left
 * out, and so are those whose names are not UTF-8. Throws an ExporterError where descriptors or memory are short.
 *
 * What systemd and the runtimes made comes first; what is left of the limit is shared among those whose cgroups these are,
 * each with its widest first. So a limit leaves out the deepest cgroups of whoever has most of them, and no others.
 */
export function walkCgroups(mount: string, limits: TreeLimits = LIMITS): CgroupTree {
  const walk = new Walk(mount, limits);
  let tenants = walk.commonGround();
  while (tenants.length > 0) {
    const share = Math.floor(walk.left / tenants.length);
    if (share === 0) break;
    tenants = tenants.filter((queue) => !walk.descend(queue, share));
  }
  return walk.tree;
}

/** Directories that are still to be listed, as paths below the mount; the mount itself is ''. */
type Queue = string[];

class Walk {
  readonly tree = new Map<number, string>();
  readonly #mount: string;
  readonly #limits: TreeLimits;
  readonly #device: number | undefined;

  constructor(mount: string, limits: TreeLimits) {
    this.#mount = mount;
    this.#limits = limits;
    const root = stat(mount);
    this.#device = root?.dev;
    if (root !== undefined) this.tree.set(root.ino, '/');
  }

  /** How many more cgroups there is room for. */
  get left(): number {
    return this.#limits.cgroups - this.tree.size;
  }

  /** Lists the directories in which nobody but root makes cgroups → those in which others may, each as a queue of its own. */
  commonGround(): Queue[] {
    const tenants: Queue[] = [];
    const queue = this.#device === undefined ? [] : [''];
    for (const parent of queue) {
      this.#list(parent, this.left, (path) => {
        if (isCommonGround(path)) queue.push(path);
        else tenants.push([path]);
      });
    }
    return tenants;
  }

  /** Goes on until so many cgroups were found → whether that was all. */
  descend(queue: Queue, share: number): boolean {
    const end = this.tree.size + share;
    for (let at = 0; at < queue.length; at++) {
      const isWhole = this.#list(queue[at] as string, end - this.tree.size, (path) => queue.push(path));
      if (isWhole) continue;
      queue.splice(0, at);
      return false;
    }
    return true;
  }

  /**
   * Those in one directory that are not known yet, up to a number → whether these were all.
   *
   * @param found is told of those that have cgroups below them
   */
  #list(parent: string, most: number, found: (path: string) => void): boolean {
    const { depth, pathLength } = this.#limits;
    if (parent.split('/').length > depth) return true;
    let left = most;
    return forEachDirectory(this.#mount + parent, (name) => {
      const path = `${parent}/${name}`;
      if (path.length > pathLength) return true;
      const stats = stat(this.#mount + path);
      // Whatever is mounted below numbers its directories in its own way.
      if (stats === undefined || stats.dev !== this.#device || this.tree.has(stats.ino)) return true;
      if (left-- <= 0) return false;
      this.tree.set(stats.ino, path);
      if (stats.nlink !== LEAF_LINKS) found(path);
      return true;
    });
  }
}

/**
 * `.` and the entry in its parent: kernfs counts one more for each directory below. Most cgroups are leaves of some
 * fifty files, so that not listing those is what makes a walk cheap. (Overlay and btrfs show 1 for every directory.)
 */
const LEAF_LINKS = 2;

function stat(path: string): { ino: number; dev: number; nlink: number } | undefined {
  return ifReadableNow(`lstat() of ${path}`, () => lstatSync(path, { throwIfNoEntry: false }));
}

/** Entries per system call: a directory may have a million. */
const BATCH = 256;

/** Until `visit` returns false → whether it never did. What cannot be read on ends there. */
function forEachDirectory(path: string, visit: (name: string) => boolean): boolean {
  const what = `reading the directory ${path}`;
  const directory = ifReadableNow(what, () => opendirSync(path, { bufferSize: BATCH }));
  if (directory === undefined) return true;
  try {
    for (;;) {
      const entry = ifReadableNow(what, () => directory.readSync());
      if (entry === undefined || entry === null) return true;
      if (entry.isDirectory() && !visit(entry.name)) return false;
    }
  } finally {
    directory.closeSync();
  }
}
