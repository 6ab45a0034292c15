import { candidatePids } from './candidates.ts';
import { Descriptors } from './descriptors.ts';
import { askForHolders, type HoldersOf } from './heldSocket.ts';

/** Interrupted processes whose descriptor directories stay open, of as many cgroups. */
const OPEN_LIMIT = 32;

/** A process has the socket as this descriptor → whether that is worth knowing still. */
export type Found = (inode: number, pid: number, fd: string) => boolean;

/** Looks for processes that hold sockets, cgroup by cgroup, which take turns. */
export class SocketSearches {
  readonly #procfs: string;
  readonly #cgroupMount: string | undefined;
  readonly #found: Found;
  /** One per cgroup with sockets to look for, the next in turn first. */
  readonly #searches = new Map<string | undefined, CgroupSearch>();
  #refusedPid: number | undefined;

  constructor(procfs: string, cgroupMount: string | undefined, found: Found) {
    this.#procfs = procfs;
    this.#cgroupMount = cgroupMount;
    this.#found = found;
  }

  /** A process whose descriptors were denied, where some socket has no holder because of that; else undefined. */
  get refusedPid(): number | undefined {
    return this.#refusedPid;
  }

  add(inode: number, cgroupPath: string | undefined): void {
    const search = this.#searches.get(cgroupPath) ?? newSearch();
    search.waiting.add(inode);
    this.#searches.set(cgroupPath, search);
  }

  remove(inode: number, cgroupPath: string | undefined): void {
    const search = this.#searches.get(cgroupPath);
    if (search === undefined) return;
    search.waiting.delete(inode);
    search.sought.delete(inode);
    if (search.waiting.size > 0 || search.sought.size > 0) return;
    search.descriptors?.close();
    this.#searches.delete(cgroupPath);
  }

  /** Goes on with all, as long as there is time. */
  goOn(isOver: () => boolean): void {
    // A finished search that has sockets waiting begins again, behind all others.
    for (const [cgroupPath, search] of this.#searches) {
      if (isOver()) return;
      const isDone = this.#goOn(cgroupPath, search, isOver);
      if (!isDone && this.#interrupted() >= OPEN_LIMIT) return;
      this.#searches.delete(cgroupPath);
      if (!isDone || search.waiting.size > 0) this.#searches.set(cgroupPath, search);
    }
  }

  /** Asks somebody who may know, so that only what is left need be looked for. */
  ask(holdersOf: HoldersOf, isOver: () => boolean): void {
    const cgroups = [...this.#searches].map(([cgroupPath, { waiting }]) => ({
      cgroupPath,
      inodes: [...waiting],
    }));
    if (cgroups.every(({ inodes }) => inodes.length === 0)) return;
    const candidatesOf = (path: string | undefined) => candidatePids(this.#procfs, this.#cgroupMount, path);
    for (const { inode, pid, descriptor, cgroupPath } of askForHolders(
      (inodes) => holdersOf(inodes, isOver),
      cgroups,
      candidatesOf,
    ))
      if (this.#found(inode, pid, String(descriptor))) this.remove(inode, cgroupPath);
  }

  /** Gives back the directories of interrupted searches, and forgets them all. */
  close(): void {
    for (const search of this.#searches.values()) search.descriptors?.close();
    this.#searches.clear();
  }

  /**
   * Through the processes of one cgroup, from where it stopped, for the sockets that were waiting when it began: one
   * that came later has missed the first processes, and waits for the next time.
   */
  #goOn(cgroupPath: string | undefined, search: CgroupSearch, isOver: () => boolean): boolean {
    if (search.sought.size === 0) {
      search.pids = candidatePids(this.#procfs, this.#cgroupMount, cgroupPath);
      search.sought = search.waiting;
      search.waiting = new Set();
      search.next = 0;
      search.refusedPid = undefined;
      search.descriptors?.close();
      search.descriptors = undefined;
    }
    for (; search.sought.size > 0; search.next++) {
      const pid = search.pids[search.next];
      if (pid === undefined) break;
      if (isOver()) return false;
      search.descriptors ??= new Descriptors(this.#procfs, pid);
      const result = search.descriptors.read((inode, fd) => this.#isSought(search, inode, pid, fd), isOver);
      if (result === 'more' && search.sought.size > 0) return false;
      if (result === 'refused') search.refusedPid ??= pid;
      search.descriptors.close();
      search.descriptors = undefined;
    }
    if (search.sought.size > 0) this.#refusedPid ??= search.refusedPid;
    search.sought.clear();
    return true;
  }

  /** Whether there is more to look for. */
  #isSought(search: CgroupSearch, inode: number, pid: number, fd: string): boolean {
    if (search.sought.has(inode) && this.#found(inode, pid, fd)) search.sought.delete(inode);
    return search.sought.size > 0;
  }

  #interrupted(): number {
    return [...this.#searches.values()].filter(({ descriptors }) => descriptors !== undefined).length;
  }
}

/** A search through the processes of one cgroup, which may be interrupted between any two descriptors. */
interface CgroupSearch {
  waiting: Set<number>;
  /** What this passage through `pids` is for; empty between two. */
  sought: Set<number>;
  pids: readonly number[];
  next: number;
  descriptors: Descriptors | undefined;
  /** The first whose descriptors were denied. */
  refusedPid: number | undefined;
}

function newSearch(): CgroupSearch {
  return {
    waiting: new Set(),
    sought: new Set(),
    pids: [],
    next: 0,
    descriptors: undefined,
    refusedPid: undefined,
  };
}
