import type { Visit } from './record.ts';

/** In the order in which `auto` tries them. */
export const SOURCE_KINDS = ['netlink', 'procfs'] as const;

export type SourceKind = (typeof SOURCE_KINDS)[number];

/**
 * Where sockets are read from, in the network namespace of the thread that opened the source. Every method is one
 * whole, synchronous walk of a kernel table and throws an ExporterError when it could not read all of it: what was
 * visited until then is half a table and must be thrown away.
 */
export interface SocketSource {
  /** What to call it. Whoever wants to know what it can asks `sees`. */
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
  /** Every UDP socket that has a port, both families. */
  udp(visit: Visit): void;
  /** What a device is called that a record of the last walk names. */
  deviceName(index: number): string;
  /** Another one of the same kind, of the namespace that the calling thread is in. Throws an ExporterError. */
  openAnother(): SocketSource;
  close(): void;
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
