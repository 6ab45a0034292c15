import { ExporterError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { loadBpf } from '../../kernel/bpf.ts';
import { readBpfBlob } from '../../kernel/bpfBlob.ts';
import { type Libc, loadLibc } from '../../kernel/libc.ts';
import { Links } from '../../kernel/links.ts';
import { openNetlinkSocket } from '../../kernel/netlink.ts';
import { NETLINK_ROUTE } from '../netlink/request.ts';
import { openNetlinkSource } from '../netlink/source.ts';
import { SocketRecord, TcpState, type Visit } from '../record.ts';
import type { Sees, SocketSource, SourceOptions, TcpBinds, Wanted } from '../source.ts';
import {
  decodeBoundAddress,
  decodeBucket,
  decodeConnection,
  decodeUdp,
  decodeUnconnected,
  isBlocked,
  isBucket,
} from './decode.ts';
import { HostTables } from './hostTables.ts';
import { expectBpf, whyRefused } from './refusal.ts';
import { ticksPerSecond } from './ticks.ts';
import { TableWalker } from './walk.ts';

/** The kernel's own, and not where the host's is mounted in a container: BTF is the same in both, and there it need not be. */
const SYSFS = '/sys';
const TABLES_BLOB = new URL('../../kernel/bpf/tables.json', import.meta.url);

/**
 * The kernel's own tables by BPF: all namespaces in one walk, and what no dump tells. Where a walk fails they are read over
 * netlink. Throws an ExporterError where BPF or netlink is refused.
 */
export function openBpfSource({ procfs, log }: SourceOptions, libc: Libc = loadLibc()): SocketSource {
  const tables = openTables(log, libc);
  try {
    const { isPernet, udpTable } = tables.identify();
    // Where this namespace has a table of its own, a walk of it is not one of the host.
    if (isPernet)
      throw new ExporterError(
        'this network namespace has a connection table of its own (net.ipv4.tcp_child_ehash_entries)',
      );
    const netlink = openNetlinkSource(libc);
    return new BpfSource(tables, { procfs, libc, udpTable, isOwner: true }, netlink, netlink.sees.boundOnly);
  } catch (error) {
    tables.close();
    throw error;
  }
}

function openTables(log: Logger, libc: Libc): HostTables {
  expectBpf(SYSFS);
  const blob = readBpfBlob(TABLES_BLOB);
  try {
    return new HostTables(new TableWalker(loadBpf(blob, libc)), log);
  } catch (error) {
    throw whyRefused(error, SYSFS);
  }
}

interface Opening {
  readonly procfs: string;
  readonly libc: Libc;
  /** The one that is walked, as `KernelNamespace` has it. */
  readonly udpTable: string;
  /** Closes the tables, which all namespaces share. */
  readonly isOwner: boolean;
}

/** One network namespace. */
class BpfSource implements SocketSource {
  readonly #tables: HostTables;
  readonly #opening: Opening;
  readonly #netlinkShowsBoundOnly: boolean;
  readonly #netlink: SocketSource;
  readonly #links: Links;
  readonly #record = new SocketRecord();
  readonly #inode: number;
  readonly #isPernet: boolean;
  /** Its UDP sockets are in the table that is walked. */
  readonly #sharesUdp: boolean;
  readonly #ticksPerSecond: number;

  constructor(tables: HostTables, opening: Opening, netlink: SocketSource, netlinkShowsBoundOnly: boolean) {
    const { inode, isPernet, finTimeout, keepaliveInterval, udpTable } = tables.identify();
    this.#tables = tables;
    this.#opening = opening;
    this.#netlink = netlink;
    this.#netlinkShowsBoundOnly = netlinkShowsBoundOnly;
    this.#inode = inode;
    this.#isPernet = isPernet;
    this.#sharesUdp = udpTable !== '' && udpTable === opening.udpTable;
    this.#ticksPerSecond = ticksPerSecond(opening.procfs, { finTimeout, keepaliveInterval });
    this.#links = new Links(() => openNetlinkSocket(opening.libc, NETLINK_ROUTE));
  }

  /** What this round is read from. */
  get kind(): 'bpf' | 'netlink' {
    return this.#tables.hasFailed ? 'netlink' : 'bpf';
  }

  get sees(): Sees {
    return this.#tables.isRead ? SEES : this.#netlink.sees;
  }

  readonly beginRound = (wanted: Wanted) => this.#tables.read(wanted);

  get tcpBinds(): TcpBinds | undefined {
    return this.#tables.isRead ? this.#binds : undefined;
  }

  get tcpExplicitPorts(): SocketSource['tcpExplicitPorts'] {
    return this.#tables.isRead ? undefined : this.#netlink.tcpExplicitPorts;
  }

  tcpListeners(visit: Visit): void {
    if (!this.#tables.isRead) {
      this.#netlink.tcpListeners(visit);
      return;
    }
    this.#links.forget();
    const record = this.#record;
    this.#tables.visit('listeners', this.#inode, (words, at) => {
      decodeUnconnected(words, at, record);
      this.#visit(record, visit);
    });
  }

  tcpConnections(visit: Visit): void {
    if (!this.#tables.isRead) {
      this.#netlink.tcpConnections(visit);
      return;
    }
    const record = this.#record;
    this.#tables.visit('bind_buckets', this.#inode, (words, at) => {
      if (isBucket(words, at)) return;
      decodeUnconnected(words, at, record);
      this.#visit(record, visit);
    });
    if (this.#isPernet) {
      // Its connections are in no table that was walked; bound-only sockets are, and come from there.
      this.#netlink.tcpConnections((one) => {
        if (one.state !== TcpState.CLOSE) visit(one);
      });
      return;
    }
    const ticks = this.#ticksPerSecond;
    this.#tables.visit('connections', this.#inode, (words, at) => {
      decodeConnection(words, at, record, ticks);
      this.#visit(record, visit);
    });
  }

  udp(visit: Visit): void {
    if (!this.#tables.isRead || !this.#sharesUdp) {
      this.#netlink.udp(visit);
      return;
    }
    const record = this.#record;
    this.#tables.visit('udp', this.#inode, (words, at) => {
      decodeUdp(words, at, record);
      this.#visit(record, visit);
    });
  }

  get readSysctls(): SocketSource['readSysctls'] {
    return this.#tables.isRead ? this.#readSysctls : undefined;
  }

  deviceName(index: number): string {
    return this.#links.of(index).name;
  }

  openAnother(): SocketSource {
    const { libc } = this.#opening;
    const netlink = openNetlinkSource(libc, this.#netlinkShowsBoundOnly);
    return new BpfSource(
      this.#tables,
      { ...this.#opening, isOwner: false },
      netlink,
      this.#netlinkShowsBoundOnly,
    );
  }

  close(): void {
    this.#netlink.close();
    this.#links.close();
    if (this.#opening.isOwner) this.#tables.close();
  }

  #visit(record: SocketRecord, visit: Visit): void {
    if (record.device !== 0) record.vrf = this.#links.of(record.device).vrf;
    visit(record);
  }

  readonly #readSysctls = () => this.#tables.readSysctls();

  readonly #binds: TcpBinds = {
    buckets: (visit) => {
      const record = this.#record;
      this.#tables.visit('bind_buckets', this.#inode, (words, at) => {
        if (!isBucket(words, at)) return;
        decodeBucket(words, at, record);
        visit(record, isBlocked(words, at));
      });
    },
    addresses: (visit) => {
      const record = this.#record;
      this.#tables.visit('bind_addresses', this.#inode, (words, at) => {
        decodeBoundAddress(words, at, record);
        visit(record);
      });
    },
  };
}

const SEES: Sees = { boundOnly: true, cgroups: true, ipv6Only: true };
