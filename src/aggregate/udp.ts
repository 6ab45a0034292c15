import { type SocketRecord, TcpState } from '../sockets/record.ts';
import type { DeviceName } from './destinationKey.ts';
import type { DroppedTotals } from './droppedTotals.ts';
import { type Regime, regime } from './exhaustion.ts';
import type { Limits } from './limits.ts';
import { Listeners, type ListenersSnapshot } from './listeners.ts';
import { LocalAddresses, type LocalAddressesSnapshot, type LoopbackAvailable } from './localAddresses.ts';
import type { PortsByCgroup } from './portsByCgroup.ts';
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
  readonly onLoopback: LoopbackAvailable;
  readonly listeners: ListenersSnapshot;
}

/** One sample of UDP sockets. */
export class UdpSockets {
  readonly #range: EphemeralRange;
  readonly #sockets = new StateCounts();
  readonly #localAddresses: LocalAddresses;
  readonly #listeners: Listeners;
  readonly #ports: PortsByCgroup | undefined;

  /** @param ports takes who holds which ports */
  constructor(range: EphemeralRange, ports?: PortsByCgroup) {
    this.#range = range;
    this.#localAddresses = new LocalAddresses(range.usable, false);
    this.#listeners = new Listeners(range.usable);
    this.#ports = ports;
  }

  add(record: SocketRecord): void {
    this.#sockets.add(familyGroup(record.socketFamily), record.state);
    this.#localAddresses.add(record);
    this.#ports?.add(record);
    if (record.state === TcpState.CLOSE) this.#listeners.add(record);
  }

  /** @param deviceName of the devices that records named */
  summarise(
    limits: Pick<Limits, 'localAddresses' | 'listeners'>,
    deviceName: DeviceName = (index) => `if${index}`,
    dropped?: DroppedTotals,
  ): UdpSnapshot {
    const usable = this.#range.usableCount;
    const usedPorts = this.#localAddresses.usedPorts;
    const { worst, addresses } = this.#localAddresses.summarise(limits.localAddresses, deviceName);
    return {
      sampledSockets: this.#sockets.total,
      sockets: udpSocketCounts(this.#sockets),
      usedPorts,
      capacity: usable - usedPorts,
      connect: regime(usable - usedPorts, usable),
      bind: worst,
      localAddresses: addresses,
      onLoopback: this.#localAddresses.availableOnLoopback(),
      // A client's unconnected socket has a port that was chosen for it: nobody is known to listen there. Automatic
      // choice never gives two sockets the same port, so a shared one was asked for.
      listeners: this.#listeners.snapshot(
        limits.listeners,
        ({ sockets }, isUsable) => !isUsable || sockets.length > 1,
        dropped,
      ),
    };
  }
}
