import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState } from '../sockets/record.ts';
import type { DeviceName } from './destinationKey.ts';
import { type Destination, Destinations, type DestinationsSnapshot } from './destinations.ts';
import type { NamespaceMemory } from './inference.ts';
import type { PortSet } from './portSet.ts';
import type { EphemeralRange } from './range.ts';

/**
 * The TCP connect() regime inside of VRFs. The kernel keeps bind buckets by (namespace, port, l3mdev), l3mdev being the
 * VRF of the bound device (inet_bind_bucket_match(), net/ipv4/inet_hashtables.c): a listener or a bind() in a VRF blocks
 * its port in that VRF alone, and nothing outside blocks one in it. With `tcp_l3mdev_accept` all have the same buckets.
 */
export class Vrfs {
  readonly #range: EphemeralRange;
  readonly #sysctls: PortSysctls;
  readonly #keepsPorts: boolean;
  readonly #vrfs = new Map<number, Vrf>();

  constructor(range: EphemeralRange, sysctls: PortSysctls, keepsPorts: boolean) {
    this.#range = range;
    this.#sysctls = sysctls;
    this.#keepsPorts = keepsPorts;
  }

  /** The VRF whose buckets the socket's port is in; undefined for those of none. */
  of({ vrf }: SocketRecord): Vrf | undefined {
    if (vrf === 0 || this.#sysctls.l3mdevAccept) return undefined;
    const known = this.#vrfs.get(vrf);
    if (known !== undefined) return known;
    const found = new Vrf(this.#range, this.#sysctls, this.#keepsPorts);
    this.#vrfs.set(vrf, found);
    return found;
  }

  get meetsOthers(): boolean {
    return [...this.#vrfs.values()].some(({ destinations }) => destinations.meetsOthers);
  }

  /**
   * Adds the destinations of all VRFs to those outside.
   *
   * @param after what this sample leaves for the next is added here
   */
  addTo(
    outside: DestinationsSnapshot,
    limit: number,
    deviceName: DeviceName,
    memory: NamespaceMemory,
    after: NamespaceMemory,
  ): { destinations: DestinationsSnapshot; worstAvailable: number } {
    let { total } = outside;
    let worstAvailable = this.#range.usableCount;
    const rows: Destination[] = [];
    for (const { destinations, known } of this.#vrfs.values()) {
      const { inferred } = destinations.inferBlocked(this.#range, known, memory, after);
      const usable = this.#range.usableCount;
      const capacity = usable - known.size - inferred.size;
      const inside = destinations.snapshot(limit, capacity, usable, undefined, deviceName);
      total += inside.total;
      rows.push(...inside.fullest);
      worstAvailable = Math.min(worstAvailable, destinations.worstAvailable(capacity));
    }
    if (rows.length === 0) return { destinations: outside, worstAvailable };
    const fullest = [...outside.fullest, ...rows].toSorted((a, b) => a.available - b.available);
    return { destinations: { total, fullest: fullest.slice(0, limit) }, worstAvailable };
  }
}

/** One of them. */
export class Vrf {
  readonly destinations = new Destinations();
  /** Ports of listeners and bound-only sockets. */
  readonly known: PortSet;
  readonly #listenerPorts: PortSet;
  readonly #range: EphemeralRange;
  readonly #sysctls: PortSysctls;

  constructor(range: EphemeralRange, sysctls: PortSysctls, keepsPorts: boolean) {
    this.#range = range;
    this.#sysctls = sysctls;
    this.known = range.usable.emptyCopy();
    this.#listenerPorts = range.usable.emptyCopy();
    this.destinations.clear(undefined, keepsPorts);
  }

  /** Of a listener or a bound-only socket. */
  block({ localPort, state }: SocketRecord): void {
    if (!this.#range.usable.has(localPort)) return;
    this.known.add(localPort);
    if (state === TcpState.LISTEN) this.#listenerPorts.add(localPort);
  }

  /** Whether somebody listens on this usable port. */
  listensOn(port: number): boolean {
    return this.#listenerPorts.has(port);
  }

  addOutbound(record: SocketRecord): void {
    this.destinations.add(record, this.#range, this.known, this.#sysctls);
  }
}
