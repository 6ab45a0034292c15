import { holdsSocket } from './descriptors.ts';
import type { HoldersOf } from './heldSocket.ts';
import { type KnownProcess, KnownProcesses } from './knownProcesses.ts';
import { SocketSearches } from './socketSearches.ts';
import type { UserNames } from './users.ts';

/** A listening socket to find the process of. */
export interface WantedSocket {
  readonly inode: number;
  /** Below the cgroup mount; undefined where unknown: then every process comes into question. */
  readonly cgroupPath: string | undefined;
}

export interface SocketHolder {
  readonly pid: number;
  readonly name: string;
  readonly user: string;
}

/** Of a round's budget, at most, for looking whether remembered processes and descriptors are still the same. */
const RECHECK_PROCESSES = 0.4;
const RECHECK_DESCRIPTORS = 0.1;

/**
 * Which process holds a listening socket. Where the kernel does not say it, only processes of the socket's own cgroup are
 * looked into, each socket is looked for once, and a round takes no longer than its budget: the next goes on where it
 * stopped, and cgroups take turns.
 *
 * Of several holders (a master and the workers that inherited from it) the one with the lowest pid counts: but for pids
 * that wrapped it is the oldest, who opened the socket, and it stays while workers come and go. In the order of pids
 * the search may also stop at the first.
 */
export class ListenerProcesses {
  readonly #procfs: string;
  readonly #users: UserNames;
  /** Known sockets, the one checked longest ago first. */
  readonly #sockets = new Map<number, Socket>();
  readonly #processes: KnownProcesses;
  readonly #searches: SocketSearches;

  constructor(options: {
    readonly procfs: string;
    readonly cgroupMount: string | undefined;
    readonly users: UserNames;
  }) {
    this.#procfs = options.procfs;
    this.#users = options.users;
    this.#processes = new KnownProcesses(options.procfs);
    this.#searches = new SocketSearches(options.procfs, options.cgroupMount, (inode, pid, fd) =>
      this.#hold(inode, pid, fd),
    );
  }

  /** A process whose descriptors were denied, where some socket has no holder because of that; else undefined. */
  get refusedPid(): number | undefined {
    return this.#searches.refusedPid;
  }

  holder(inode: number): SocketHolder | undefined {
    const holder = this.#sockets.get(inode)?.holder;
    if (holder === undefined) return undefined;
    const { pid, name, uid } = holder.process;
    return { pid, name, user: this.#users.name(uid) };
  }

  /**
   * Forgets sockets that are no longer wanted. Throws an ExporterError at a shortage; the next round then goes on.
   *
   * @param holdersOf knows them all at once, so that hardly any process need be looked into
   */
  lookup(wanted: readonly WantedSocket[], budgetMs: number, holdersOf?: HoldersOf): void {
    const over = clock(budgetMs);
    this.#processes.beginRound();
    this.#users.refresh();
    this.#want(wanted);
    this.#lookForSocketsOf(this.#processes.recheck(clock(budgetMs * RECHECK_PROCESSES)));
    this.#recheckDescriptors(clock(budgetMs * RECHECK_DESCRIPTORS));
    if (holdersOf !== undefined && !over()) this.#searches.ask(holdersOf, over);
    this.#searches.goOn(over);
  }

  /** Gives back the directories of interrupted searches. */
  close(): void {
    this.#searches.close();
    this.#sockets.clear();
    this.#processes.clear();
  }

  #want(wanted: readonly WantedSocket[]): void {
    const inodes = new Set(wanted.map(({ inode }) => inode));
    for (const [inode, socket] of this.#sockets) {
      if (!inodes.has(inode)) this.#forget(inode, socket);
    }
    for (const { inode, cgroupPath } of wanted) {
      if (inode !== 0) this.#wantOne(inode, cgroupPath);
    }
    this.#processes.keepOnly(new Set([...this.#sockets.values()].map(({ holder }) => holder?.process)));
  }

  /** A path learnt since is a new chance for a socket that nobody was found for. */
  #wantOne(inode: number, cgroupPath: string | undefined): void {
    const socket = this.#sockets.get(inode);
    if (socket !== undefined && (cgroupPath === undefined || cgroupPath === socket.cgroupPath)) return;
    if (socket?.holder !== undefined) {
      socket.cgroupPath = cgroupPath;
      return;
    }
    if (socket !== undefined) this.#forget(inode, socket);
    this.#lookFor(inode, { cgroupPath, holder: undefined });
  }

  #lookFor(inode: number, socket: Socket): void {
    socket.holder = undefined;
    this.#sockets.set(inode, socket);
    this.#searches.add(inode, socket.cgroupPath);
  }

  #forget(inode: number, { cgroupPath }: Socket): void {
    this.#sockets.delete(inode);
    this.#searches.remove(inode, cgroupPath);
  }

  /** A pid given to another process, and one that is gone, hold nothing. */
  #lookForSocketsOf(gone: ReadonlySet<KnownProcess>): void {
    if (gone.size === 0) return;
    for (const [inode, socket] of this.#sockets) {
      if (socket.holder !== undefined && gone.has(socket.holder.process)) this.#lookFor(inode, socket);
    }
  }

  /** A server that was replaced may live on without its socket, and a number may be that of a later socket. */
  #recheckDescriptors(isOver: () => boolean): void {
    for (const [inode, socket] of [...this.#sockets]) {
      if (isOver()) return;
      const { holder } = socket;
      if (holder === undefined) continue;
      this.#sockets.delete(inode);
      this.#sockets.set(inode, socket);
      if (!holdsSocket(this.#procfs, holder.process.pid, holder.fd, inode)) this.#lookFor(inode, socket);
    }
  }

  /** False where the socket is not wanted any more, or the process is gone. */
  #hold(inode: number, pid: number, fd: string): boolean {
    const socket = this.#sockets.get(inode);
    if (socket === undefined) return false;
    const { process, replaced } = this.#processes.of(pid);
    if (replaced !== undefined) this.#lookForSocketsOf(new Set([replaced]));
    if (process === undefined) return false;
    socket.holder = { process, fd };
    return true;
  }
}

interface Socket {
  cgroupPath: string | undefined;
  /** Undefined where it was not found, or not looked for yet: then it is part of a search. */
  holder: { readonly process: KnownProcess; readonly fd: string } | undefined;
}

/** → whether so many milliseconds have passed. */
function clock(milliseconds: number): () => boolean {
  const end = performance.now() + milliseconds;
  return () => performance.now() >= end;
}
