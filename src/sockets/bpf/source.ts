import { ExporterError } from '../../base/errors.ts';
import { Links } from '../../kernel/links.ts';
import { openNetlinkSocket } from '../../kernel/netlink.ts';
import type { PortSysctls } from '../../kernel/sysctl.ts';
import type { HoldersOf } from '../../owners/heldSocket.ts';
import { NETLINK_ROUTE } from '../netlink/request.ts';
import { openNetlinkSource } from '../netlink/source.ts';
import { SocketRecord, TcpState, type Visit } from '../record.ts';
import type { Inside, Sees, SocketSource, TcpBinds, Wanted } from '../source.ts';
import type { BpfHost } from './bpfHost.ts';
import {
  decodeBoundAddress,
  decodeBucket,
  decodeConnection,
  decodeUdp,
  decodeUnconnected,
  isBlocked,
  isBucket,
} from './decode.ts';
import type { TableNamespace } from './decodeNamespace.ts';
import type { HostTables } from './hostTables.ts';

/** One network namespace. */
export class BpfSource implements SocketSource {
  readonly #host: BpfHost;
  readonly #tables: HostTables;
  readonly #inode: number;
  readonly #inside: Inside;
  readonly #links: Links;
  readonly #record = new SocketRecord();
  #netlink: SocketSource | undefined;

  /** @param netlink where it is open already; else it is opened when it is needed, inside */
  constructor(host: BpfHost, inode: number, inside: Inside, netlink?: SocketSource) {
    this.#host = host;
    this.#tables = host.tables;
    this.#inode = inode;
    this.#inside = inside;
    this.#netlink = netlink;
    this.#links = new Links(() => openNetlinkSocket(host.libc, NETLINK_ROUTE));
  }

  /** What this round is read from. */
  get kind(): 'bpf' | 'netlink' {
    return this.#tables.hasFailed ? 'netlink' : 'bpf';
  }

  get sees(): Sees {
    return this.#tables.hasFailed ? this.#opened().sees : SEES;
  }

  readonly beginRound = (wanted: Wanted) => this.#tables.read(wanted);

  get tcpBinds(): TcpBinds | undefined {
    return this.#tables.isRead ? this.#binds : undefined;
  }

  get tcpExplicitPorts(): SocketSource['tcpExplicitPorts'] {
    return this.#tables.isRead ? undefined : this.#opened().tcpExplicitPorts;
  }

  get holdersOf(): SocketSource['holdersOf'] {
    return this.#tables.isRead && this.#host.showsOwnPids ? this.#holdersOf : undefined;
  }

  get readSysctls(): SocketSource['readSysctls'] {
    return this.#tables.isRead ? this.#readSysctls : undefined;
  }

  tcpListeners(visit: Visit): void {
    if (!this.#tables.isRead) {
      this.#opened().tcpListeners(visit);
      return;
    }
    this.#links.forget();
    const record = this.#record;
    this.#tables.visit('listeners', this.#inode, (words, at) => {
      decodeUnconnected(words, at, record);
      visit(record);
    });
  }

  tcpConnections(visit: Visit): void {
    if (!this.#tables.isRead) {
      this.#opened().tcpConnections(visit);
      return;
    }
    const record = this.#record;
    this.#tables.visit('bind_buckets', this.#inode, (words, at) => {
      if (isBucket(words, at)) return;
      decodeUnconnected(words, at, record);
      visit(record);
    });
    if (this.#namespace().hasOwnTable) {
      // Its connections are in no table that was walked; bound-only sockets are, and come from there.
      this.#inside(() =>
        this.#opened().tcpConnections((one) => {
          if (one.state !== TcpState.CLOSE) visit(one);
        }),
      );
      return;
    }
    const ticks = this.#host.ticksPerSecond();
    this.#tables.visit('connections', this.#inode, (words, at) => {
      decodeConnection(words, at, record, ticks);
      visit(record);
    });
  }

  udp(visit: Visit): void {
    if (!this.#tables.isRead) {
      this.#opened().udp(visit);
      return;
    }
    if (!this.#host.hasUdpOf(this.#namespace())) {
      this.#inside(() => this.#opened().udp(visit));
      return;
    }
    const record = this.#record;
    this.#tables.visit('udp', this.#inode, (words, at) => {
      decodeUdp(words, at, record);
      visit(record);
    });
  }

  /** Its index where the namespace cannot be entered. */
  deviceName(index: number): string {
    if (!this.#tables.isRead) return this.#opened().deviceName(index);
    try {
      return this.#inside(() => this.#links.of(index).name);
    } catch (error) {
      if (error instanceof ExporterError) return `if${index}`;
      throw error;
    }
  }

  openAnother(): SocketSource {
    return new BpfSource(this.#host, this.#tables.identify().inode, (act) => act());
  }

  readonly openElsewhere = (inode: number, inside: Inside): SocketSource =>
    new BpfSource(this.#host, inode, inside);

  close(): void {
    this.#netlink?.close();
    this.#links.close();
    this.#host.close(this.#inode);
  }

  /** Of the namespace that the calling thread is in by now. */
  #opened(): SocketSource {
    this.#netlink ??= openNetlinkSource(this.#host.libc, this.#host.netlinkShowsBoundOnly);
    return this.#netlink;
  }

  #namespace(): TableNamespace {
    const namespace = this.#tables.namespaceOf(this.#inode);
    if (namespace === undefined) throw new ExporterError(`net:[${this.#inode}] is gone`);
    return namespace;
  }

  readonly #holdersOf: HoldersOf = (inodes, isOver) => this.#tables.holdersOf(inodes, isOver);

  readonly #readSysctls = (): PortSysctls => {
    const namespace = this.#namespace();
    const { sysctls, reservesPorts } = namespace;
    const reserved = reservesPorts ? this.#tables.reservedPortsOf(this.#inode, namespace) : [];
    return { ...sysctls, reserved };
  };

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
