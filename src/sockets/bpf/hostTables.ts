import { ExporterError, errorLine } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { PortSysctls } from '../../kernel/sysctl.ts';
import type { HeldSocket } from '../../owners/heldSocket.ts';
import type { Round, Wanted } from '../source.ts';
import { decodeHolder } from './decode.ts';
import { decodeNamespace, type TableNamespace } from './decodeNamespace.ts';
import { RecordStore } from './recordStore.ts';
import type { KernelNamespace, TableName, TableWalker } from './walk.ts';

/** In the order in which they are walked: sockets become connections, which then are in both rather than in none. */
const TABLES = [
  'namespaces',
  'listeners',
  'bind_buckets',
  'bind_addresses',
  'connections',
  'udp',
] as const satisfies TableName[];

const NOTHING: Wanted = { inodes: false, cgroups: false };

const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 10 * 60_000;

/** The socket tables of the whole host, read at once and kept until the next round. */
export class HostTables {
  readonly #walker: TableWalker;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #stores: Readonly<Record<TableName, RecordStore>> = {
    namespaces: new RecordStore(),
    listeners: new RecordStore(),
    bind_buckets: new RecordStore(),
    bind_addresses: new RecordStore(),
    connections: new RecordStore(),
    udp: new RecordStore(),
    holders: new RecordStore(),
  };
  readonly #namespaces = new Map<number, TableNamespace>();
  #isRead = false;
  #hasFailed = false;
  #retryMs = FIRST_RETRY_MS;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(walker: TableWalker, log: Logger, now: () => number = () => performance.now()) {
    this.#walker = walker;
    this.#log = log;
    this.#now = now;
  }

  /** Whether the last attempt to read a round failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Whether the last round was read. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Reads all → undefined where that failed, which is told once, and not tried again for a while. */
  read(wanted: Wanted): Round | undefined {
    this.#isRead = false;
    if (this.#now() < this.#notBeforeMs) return undefined;
    try {
      this.#readNow(wanted);
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      this.#hasFailed = true;
      this.#log.warn('BPF failed, reading socket tables over netlink', {
        error: errorLine(error),
        retry_seconds: this.#retryMs / 1000,
      });
      this.#notBeforeMs = this.#now() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
      return undefined;
    }
    if (this.#retryMs > FIRST_RETRY_MS) this.#log.info('reading socket tables by BPF again');
    this.#retryMs = FIRST_RETRY_MS;
    this.#hasFailed = false;
    const { connections } = this.#stores;
    return {
      inodes: connections.inodes,
      connectionsIn: (inode) => connections.countOf(inode),
      idOf: (inode) => this.#namespaces.get(inode)?.cookie,
    };
  }

  /** Throws an ExporterError where it cannot. */
  #readNow(wanted: Wanted): void {
    this.#walker.forgetListeners();
    this.#namespaces.clear();
    for (const table of TABLES) {
      const store = this.#stores[table];
      store.clear();
      this.#walker.walk(table, wanted, store.buffer, (count) => store.take(count));
    }
    const { namespaces } = this.#stores;
    for (const inode of namespaces.inodes)
      namespaces.visit(inode, (words, at) => this.#namespaces.set(inode, decodeNamespace(words, at)));
    this.#isRead = true;
  }

  /** A namespace that the last round has seen. */
  namespaceOf(inode: number): TableNamespace | undefined {
    return this.#namespaces.get(inode);
  }

  /** The records of a namespace: each begins at `at` in `words`. */
  visit(table: TableName, inode: number, visit: (words: Int32Array, at: number) => void): void {
    this.#stores[table].visit(inode, visit);
  }

  /**
   * Which processes hold these listening sockets, or unconnected ones of UDP, that the last round has seen. Throws an
   * ExporterError.
   *
   * @param isOver whether processes that were not looked into yet are left out
   */
  holdersOf(inodes: ReadonlySet<number>, isOver: () => boolean): HeldSocket[] {
    const { holders } = this.#stores;
    holders.clear();
    this.#walker.seek(inodes);
    this.#walker.walk('holders', NOTHING, holders.buffer, (count) => holders.take(count), isOver);
    const held: HeldSocket[] = [];
    // No namespace is told with them.
    holders.visit(0, (words, at) => {
      const one = decodeHolder(words, at);
      if (inodes.has(one.inode)) held.push(one);
    });
    holders.clear();
    return held;
  }

  /** The namespace of the calling thread. Throws an ExporterError. */
  identify(): KernelNamespace {
    return this.#walker.identify();
  }

  /** Its reserved ports. Throws an ExporterError where it is gone. */
  reservedPortsOf(inode: number, { net }: TableNamespace): PortSysctls['reserved'] {
    return this.#walker.readReservedPorts(inode, net);
  }

  close(): void {
    this.#walker.close();
  }
}
