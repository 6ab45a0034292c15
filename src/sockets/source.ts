import type { Visit } from './record.ts';

export type SourceKind = 'netlink' | 'procfs';

/**
 * Where sockets are read from, in the network namespace of the thread that opened the source. Every method is one
 * whole, synchronous walk of a kernel table and throws an ExporterError when it could not read all of it: what was
 * visited until then is half a table and must be thrown away.
 */
export interface SocketSource {
  readonly kind: SourceKind;
  /**
   * Whether `tcpConnections` shows sockets that did bind() and neither connect() nor listen(). False: that evidence is
   * unknown (procfs; kernels before 6.8), which is not the same as none.
   */
  readonly seesBoundOnly: boolean;
  /** Whether sockets come with the cgroup they were made in (not from procfs; not before Linux 5.8). */
  readonly seesCgroups: boolean;
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
  close(): void;
}
