import type { SocketRecord } from '../sockets/record.ts';
import { type Regime, regime } from './exhaustion.ts';
import { LocalAddresses, type LocalAddressesSnapshot } from './localAddresses.ts';
import type { EphemeralRange } from './range.ts';
import { familyGroup, type SocketCount, StateCounts, udpSocketCounts } from './states.ts';

/** Everything one sample says of UDP in one namespace. */
export interface UdpSnapshot {
  readonly sampledSockets: number;
  readonly sockets: readonly SocketCount[];
  /** Distinct usable ports with any socket. */
  readonly usedPorts: number;
  /** Ports left for an unbound connect() or sendto(), wherever it goes. */
  readonly capacity: number;
  /** The worst key is an unbound IPv6 socket, which meets every holder in the namespace. */
  readonly connect: Regime;
  readonly bind: Regime;
  readonly localAddresses: LocalAddressesSnapshot;
}

/** One sample of UDP sockets. */
export class UdpTally {
  readonly #range: EphemeralRange;
  readonly #sockets = new StateCounts();
  readonly #localAddresses: LocalAddresses;

  constructor(range: EphemeralRange) {
    this.#range = range;
    this.#localAddresses = new LocalAddresses(range.usable);
  }

  add(record: SocketRecord): void {
    this.#sockets.add(familyGroup(record.socketFamily), record.state);
    this.#localAddresses.add(record);
  }

  summarise(localAddressLimit: number): UdpSnapshot {
    const usable = this.#range.usableCount;
    const usedPorts = this.#localAddresses.usedPorts;
    const { worst, addresses } = this.#localAddresses.summarise(localAddressLimit);
    return {
      sampledSockets: this.#sockets.total,
      sockets: udpSocketCounts(this.#sockets),
      usedPorts,
      capacity: usable - usedPorts,
      connect: regime(usable - usedPorts, usable),
      bind: worst,
      localAddresses: addresses,
    };
  }
}
