import type { Logger } from '../base/logger.ts';
import type { PortSysctls } from '../kernel/sysctl.ts';
import type { HoldersOf } from '../owners/heldSocket.ts';
import type { SocketRecord, Visit } from './record.ts';

/** In the order in which `auto` tries them. */
export const SOURCE_KINDS = ['bpf', 'netlink', 'procfs'] as const;

export type SourceKind = (typeof SOURCE_KINDS)[number];

/**
 * Where sockets are read from, in the network namespace of the thread that opened the source. Every method is one
 * whole, synchronous walk of a kernel table and throws an ExporterError when it could not read all of it: what was
 * visited until then is half a table and must be thrown away.
 */
export interface SocketSource {
  /** What to call it, which may change from round to round. Whoever wants to know what it can asks `sees`. */
  readonly kind: SourceKind;
  readonly sees: Sees;
  /** TCP sockets in LISTEN, both families. Does not walk the connection table where the source is netlink. */
  tcpListeners(visit: Visit): void;
  /** Every other TCP socket, both families; bound-only ones come before the connections and have state CLOSE. */
  tcpConnections(visit: Visit): void;
  /**
   * Connected TCP sockets, both families, whose port an application chose by number: bind(address, port). undefined where
   * the source cannot tell (procfs). As many steps as `tcpConnections` in the kernel, and few records.
   */
  readonly tcpExplicitPorts: ((visit: Visit) => void) | undefined;
  /** What the kernel's bind buckets say, at this moment; undefined where the source does not see them. */
  readonly tcpBinds: TcpBinds | undefined;
  /** Every UDP socket that has a port, both families. */
  udp(visit: Visit): void;
  /** What a device is called that a record of the last walk names. */
  deviceName(index: number): string;
  /**
   * Who holds sockets that the last round has seen, of the whole host: listening ones, and unconnected ones of UDP. undefined
   * where the source does not see it, or the processes are not those of its proc.
   */
  readonly holdersOf: HoldersOf | undefined;
  /** The sysctls of the namespace, which the calling thread is in, where the source has them at hand; else /proc has. */
  readonly readSysctls: (() => PortSysctls) | undefined;
  /**
   * Before the namespaces of a host are read, one after the other: reads all of them at once where the source can. What
   * is read until the next round is of this moment. Returns undefined where that fails, and each is read by itself this time.
   */
  readonly beginRound: ((wanted: Wanted) => Round | undefined) | undefined;
  /** Another one of the same kind, of the namespace that the calling thread is in. Throws an ExporterError. */
  openAnother(): SocketSource;
  /**
   * Another one, of a namespace that the calling thread need not be in: it is entered where that is unavoidable. undefined
   * where the source is bound to the namespace that it was opened in.
   */
  readonly openElsewhere: ((inode: number, inside: Inside) => SocketSource) | undefined;
  close(): void;
}

/** What a source is opened with. */
export interface SourceOptions {
  /** Where proc is mounted. */
  readonly procfs: string;
  /** Of what happens to it later. */
  readonly log: Logger;
}

/** Runs something inside of a namespace. Throws an ExporterError where that cannot be entered. */
export type Inside = <T>(act: () => T) => T;

/** What a round reads of each connection, where it costs something. */
export interface Wanted {
  readonly inodes: boolean;
  readonly cgroups: boolean;
}

/** What one reading of the whole host gave. */
export interface Round {
  /** TCP connections of the namespaces with these inode numbers. */
  connectionsIn(inode: number): number;
  /** Inode numbers of all namespaces with TCP connections. */
  readonly inodes: readonly number[];
  /** What no other namespace ever had; undefined where there is none with this inode number. */
  idOf(inode: number): string | undefined;
}

/**
 * The kernel's bind buckets, outside of which no port is held (net/ipv4/inet_hashtables.c). Of a record these fill
 * no more than they say.
 */
export interface TcpBinds {
  /** Every port with a bucket, for each VRF (`vrf`): localPort, and whether connect() passes over it. */
  buckets(visit: (record: SocketRecord, isBlocked: boolean) => void): void;
  /** Every address that a port of the ephemeral range is bound on: local address, localPort, vrf, and the device where bind() looks at it. */
  addresses(visit: Visit): void;
}

/** What a source can tell. */
export interface Sees {
  /**
   * Whether `tcpConnections` shows sockets that did bind() and neither connect() nor listen(). False: that evidence is
   * unknown (procfs; kernels before 6.8), which is not the same as none.
   */
  readonly boundOnly: boolean;
  /** Whether sockets come with the cgroup they were made in (not from procfs; not before Linux 5.8). */
  readonly cgroups: boolean;
  /** Whether it is told of an IPv6 socket that it takes no IPv4 (not from procfs). */
  readonly ipv6Only: boolean;
}
