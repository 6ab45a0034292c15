import { type CgroupTree, walkCgroups } from './cgroupTree.ts';

/** After so many rounds an id that no walk found is asked for again: a walk may have been cut short by some error. */
const ROUNDS_UNKNOWN = 40;
/** Removed cgroups whose paths are kept: sockets outlive them, and so does what they are called. */
const FORMER_LIMIT = 10_000;

/**
 * cgroup id → path below the mount, for any number of sockets. Ids are numbers, what sock_diag's u64 is exactly up to
 * 2^53: they count up from 1, and none is used twice.
 *
 * The tree is walked at most once a round, and only for an id that was never asked for: sockets of a removed cgroup
 * would else cost a walk at every sample.
 */
export class CgroupPaths {
  readonly #walk: () => CgroupTree;
  #present: CgroupTree = new Map();
  readonly #former = new Map<number, string>();
  /** Asked for since the last walk, which may have been too early for them. */
  readonly #asked = new Set<number>();
  /** Not found by a walk that began after they were asked for. */
  readonly #unknown = new Set<number>();
  #round = 0;
  #walked = false;

  /** Without a mount it knows no path. */
  constructor(mount: string | undefined, walk: (mount: string) => CgroupTree = walkCgroups) {
    this.#walk = mount === undefined ? () => new Map() : () => walk(mount);
  }

  beginRound(): void {
    this.#walked = false;
    this.#round += 1;
    if (this.#round % ROUNDS_UNKNOWN === 0) this.#unknown.clear();
  }

  /** Throws an ExporterError, once a round, where descriptors or memory are too short for a walk. */
  path(id: number): string | undefined {
    const path = this.#find(id);
    if (path !== undefined || id === 0 || this.#unknown.has(id)) return path;
    this.#asked.add(id);
    if (this.#walked) return undefined;
    this.#walkAgain();
    return this.#find(id);
  }

  #find(id: number): string | undefined {
    return this.#present.get(id) ?? this.#former.get(id);
  }

  #walkAgain(): void {
    const before = this.#present;
    // One that fails is not made again in this round, and tells nothing of what was asked for.
    this.#walked = true;
    this.#present = this.#walk();
    for (const [id, path] of before) {
      if (!this.#present.has(id)) this.#former.set(id, path);
    }
    for (const [oldest] of this.#former) {
      if (this.#former.size <= FORMER_LIMIT) break;
      this.#former.delete(oldest);
    }
    for (const id of this.#asked) {
      if (!this.#present.has(id)) this.#unknown.add(id);
    }
    this.#asked.clear();
  }
}
