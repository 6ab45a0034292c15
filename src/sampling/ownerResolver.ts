import type { Listener } from '../aggregate/listeners.ts';
import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { findCgroupMount } from '../owners/cgroupMount.ts';
import { CgroupPaths } from '../owners/cgroups.ts';
import { whyDescriptorsDenied } from '../owners/descriptorViews.ts';
import type { HoldersOf } from '../owners/heldSocket.ts';
import { ListenerProcesses } from '../owners/listenerProcesses.ts';
import { ownerOf } from '../owners/ownerName.ts';
import { readServices, type ServiceNames } from '../owners/services.ts';
import { findSocketProcesses, type SocketProcesses } from '../owners/socketProcesses.ts';
import { UserNames } from '../owners/users.ts';
import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { Protocol } from '../snapshot/protocol.ts';
import type { SamplingOptions } from './samplingOptions.ts';

type ResolverOptions = Pick<SamplingOptions, 'procfs' | 'sysfs' | 'processBudgetMs'>;

/** Whose sockets these are: of the whole host, whatever the network namespace. Remembers what it found. */
export class OwnerResolver {
  readonly #options: ResolverOptions;
  readonly #cgroupMount: string | undefined;
  readonly #cgroups: CgroupPaths;
  readonly #users = new UserNames();
  readonly #processes: ListenerProcesses;
  readonly #services: ServiceNames;
  readonly #names = new Map<string, string>();
  readonly #log: Logger;
  #saidRefused = false;
  /** Why cgroups got no name in this round; a defect, since no errno gets here. */
  #failure: string | undefined;
  /** Why no socket's owner can be told, in one line; undefined where it can. */
  readonly obstacle: string | undefined;

  constructor(options: ResolverOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    const { procfs, sysfs } = options;
    const cgroups = findCgroupMount(procfs, sysfs);
    this.obstacle = cgroups.path === undefined ? cgroups.reason : undefined;
    this.#cgroupMount = cgroups.path;
    this.#cgroups = new CgroupPaths(cgroups.path);
    this.#processes = new ListenerProcesses({ procfs, cgroupMount: cgroups.path, users: this.#users });
    this.#services = readServices();
    if (this.#services.missing !== undefined) {
      log.warn('service names of listeners are unknown', { error: this.#services.missing });
    }
  }

  /** To be called once before the sockets of a sample are named. */
  beginRound(): void {
    this.#failure = undefined;
    this.#cgroups.beginRound();
  }

  /**
   * Systemd unit, container, pod or path of a cgroup; undefined where it is gone, or out of sight. Never throws: numbers are
   * counted by these names, and a name must not stop them. `failure` says what went wrong.
   */
  ownerOf(cgroupId: number): string | undefined {
    try {
      return this.#nameOf(cgroupId);
    } catch (thrown) {
      this.#failure ??= errorLine(thrown);
      return undefined;
    }
  }

  /** Why owners are unknown that should not be, in this round. */
  get failure(): string | undefined {
    return this.#failure;
  }

  #nameOf(cgroupId: number): string | undefined {
    const path = this.#cgroups.path(cgroupId);
    if (path === undefined) return undefined;
    const known = this.#names.get(path);
    if (known !== undefined) return known;
    // Cgroups come and go; a name is made anew in no time.
    if (this.#names.size >= NAMES_LIMIT) this.#names.clear();
    const { owner } = ownerOf(path);
    this.#names.set(path, owner);
    return owner;
  }

  /**
   * Looks for the processes that hold these sockets, within the budget.
   *
   * @param holdersOf who knows it without a search; undefined: nobody
   */
  lookUpProcesses(listeners: readonly Listener[], holdersOf: HoldersOf | undefined): void {
    const sockets = listeners.flatMap((listener) => listener.sockets);
    this.#processes.lookup(
      sockets.map(({ inode, cgroupId }) => ({
        inode,
        cgroupPath: cgroupId === undefined ? undefined : this.#cgroups.path(cgroupId),
      })),
      this.#options.processBudgetMs,
      holdersOf,
    );
    const { refusedPid } = this.#processes;
    if (refusedPid === undefined || this.#saidRefused) return;
    this.#saidRefused = true;
    this.#log.warn('processes of some listeners are unknown', {
      error: `reading /proc/<pid>/fd of other users: ${whyDescriptorsDenied()}: pid ${refusedPid}`,
    });
  }

  /** Which processes hold these sockets, given by their cgroup, as far as that is found out within the budget. */
  processesOf(inodes: ReadonlyMap<number, readonly number[]>, budgetMs: number): SocketProcesses {
    return findSocketProcesses({
      ...{ procfs: this.#options.procfs, cgroupMount: this.#cgroupMount, users: this.#users, budgetMs },
      cgroupPaths: [...inodes.keys()].map((id) => this.#cgroups.path(id)),
      inodes: new Set([...inodes.values()].flat()),
    });
  }

  describe(protocol: Protocol, listener: Listener): DescribedListener {
    const { sockets, ...rest } = listener;
    const holder = sockets
      .map(({ inode }) => this.#processes.holder(inode))
      .filter((found) => found !== undefined)
      .toSorted((a, b) => a.pid - b.pid)[0];
    const cgroupId = sockets.find((socket) => socket.cgroupId !== undefined)?.cgroupId;
    return {
      ...rest,
      protocol,
      service: this.#services.name(listener.port, protocol),
      process: holder?.name ?? '',
      pid: holder?.pid,
      user: holder?.user ?? '',
      owner: cgroupId === undefined ? '' : (this.ownerOf(cgroupId) ?? ''),
    };
  }

  close(): void {
    this.#processes.close();
  }
}

const NAMES_LIMIT = 20_000;
