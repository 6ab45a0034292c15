import type { BlockedCounts } from './blockedPorts.ts';
import type { DestinationsSnapshot } from './destinations.ts';
import type { Regime } from './exhaustion.ts';
import type { ListenersSnapshot } from './listeners.ts';
import type { LocalAddressesSnapshot, LoopbackAvailable } from './localAddresses.ts';
import type { ConnectionCount, SocketCount } from './states.ts';

/** Everything one sample says of TCP in one namespace. */
export interface TcpSnapshot {
  readonly sampledSockets: number;
  readonly sockets: readonly SocketCount[];
  readonly connections: readonly ConnectionCount[];
  readonly blocked: BlockedCounts;
  /** Distinct usable ports with any socket. */
  readonly usedPorts: number;
  /** Ports of connections that may have called bind() first or not: nobody can tell. */
  readonly uncertain: number;
  /** Ports a destination that nobody uses yet can have; the most likely number where it is not certain. */
  readonly capacity: number;
  /** The capacity if all uncertain ports are blocked. */
  readonly capacityAtLeast: number;
  readonly connect: Regime;
  readonly bind: Regime;
  readonly destinations: DestinationsSnapshot;
  readonly localAddresses: LocalAddressesSnapshot;
  readonly onLoopback: LoopbackAvailable;
  /**
   * bind(address, 0) may be given a port that only connections hold, as far as is certain. Before Linux 6.18 the port then
   * stays blocked for every connect() until the last of those connections is gone.
   */
  readonly bindMayBlock: boolean;
  readonly listeners: ListenersSnapshot;
}
