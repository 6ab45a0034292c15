import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState } from '../sockets/record.ts';
import type { DeviceName } from './destinationKey.ts';
import {
  type Capacity,
  type Destination,
  Destinations,
  type DestinationsSnapshot,
  leastOf,
} from './destinations.ts';
import type { InferenceState } from './inferenceState.ts';
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
  of({ vrf }: Pick<SocketRecord, 'vrf'>): Vrf | undefined {
    if (vrf === 0 || this.#sysctls.l3mdevAccept) return undefined;
    const known = this.#vrfs.get(vrf);
    if (known !== undefined) return known;
    const found = new Vrf(this.#range, this.#keepsPorts);
    this.#vrfs.set(vrf, found);
    return found;
  }

  get hasDestinations(): boolean {
    return [...this.#vrfs.values()].some(({ destinations }) => destinations.size > 0);
  }

  get meetsOthers(): boolean {
    return [...this.#vrfs.values()].some(({ destinations }) => destinations.meetsOthers);
  }

  /**
   * Adds the destinations of all VRFs to those outside.
   *
   * @param inference of the sample before, and what this one leaves for the next; undefined where all is known
   */
  addTo(
    outside: DestinationsSnapshot,
    limit: number,
    deviceName: DeviceName,
    inference: { readonly before: InferenceState; readonly after: InferenceState } | undefined,
  ): { destinations: DestinationsSnapshot; worst: Capacity } {
    let { total } = outside;
    const usable = this.#range.usableCount;
    let worst: Capacity = { available: usable, availableAtLeast: usable };
    const rows: Destination[] = [];
    for (const { destinations, known } of this.#vrfs.values()) {
      const capacity = this.#capacityOf(destinations, known, inference);
      const inside = destinations.snapshot(limit, capacity, usable, deviceName);
      total += inside.total;
      rows.push(...inside.fullest);
      worst = leastOf(worst, destinations.worst(capacity));
    }
    if (total === outside.total) return { destinations: outside, worst };
    const fullest = [...outside.fullest, ...rows].toSorted((a, b) => a.available - b.available);
    return { destinations: { total, fullest: fullest.slice(0, limit) }, worst };
  }

  #capacityOf(
    destinations: Destinations,
    known: PortSet,
    inference: { readonly before: InferenceState; readonly after: InferenceState } | undefined,
  ): Capacity {
    const available = this.#range.usableCount - known.size;
    if (inference === undefined) {
      destinations.settle(this.#range, known);
      return { available, availableAtLeast: available };
    }
    const { before, after } = inference;
    // The kernel is asked outside of VRFs, whose buckets are others.
    const { inferred, uncertain } = destinations.inferBlocked(this.#range, known, before, {}, after);
    const likely = available - inferred.size;
    return { available: likely, availableAtLeast: likely - uncertain.size };
  }
}

/** One of them. */
export class Vrf {
  readonly destinations = new Destinations();
  /** Ports of listeners, of bound-only sockets, and of connections whose port was chosen by number. */
  readonly known: PortSet;
  readonly #listenerPorts: PortSet;
  readonly #range: EphemeralRange;

  constructor(range: EphemeralRange, keepsPorts: boolean) {
    this.#range = range;
    this.known = range.usable.emptyCopy();
    this.#listenerPorts = range.usable.emptyCopy();
    this.destinations.clear(undefined, keepsPorts);
  }

  /** Of a socket that is known to block its port. */
  block(record: SocketRecord): void {
    this.blockPort(record.localPort);
    this.explain(record);
  }

  blockPort(port: number): void {
    if (this.#range.usable.has(port)) this.known.add(port);
  }

  /** Of a listener. */
  explain({ localPort, state }: SocketRecord): void {
    if (state === TcpState.LISTEN) this.#listenerPorts.add(localPort);
  }

  /** Whether somebody listens on this usable port. */
  listensOn(port: number): boolean {
    return this.#listenerPorts.has(port);
  }
}
