import type { Family, SocketRecord } from '../sockets/record.ts';
import { isLinkLocal, isWildcard } from './address.ts';
import { Holders, type Row, Wildcards } from './addressHolders.ts';
import type { DeviceName } from './destinationKey.ts';
import { type Regime, regime } from './exhaustion.ts';
import { fullest } from './fullest.ts';
import { type PortSet, sizeOfUnion, unionOf } from './portSet.ts';

/** One local address as bind(address, 0) meets it, as exported. */
export interface LocalAddress extends Regime {
  readonly localAddress: string;
  /** Name of the device that bind() needs to be bound to as well, where the answer depends on it; '' elsewhere. */
  readonly device: string;
  /** Distinct usable ports that bind(address, 0) cannot have. */
  readonly used: number;
}

/** What is held on one address. */
export interface HeldPorts {
  /** Its words. */
  readonly address: readonly number[];
  readonly held: PortSet;
}

/** Calls that succeed on the loopback address of each family. */
export interface LoopbackAvailable {
  readonly ipv4: number;
  readonly ipv6: number;
}

/** Their words in a key. */
const LOOPBACK = [0x7f000001] as const;
const LOOPBACK6 = [0, 0, 0, 1] as const;

export interface LocalAddressesSnapshot {
  /** Local addresses seen on usable ports, wildcard ones not counted. */
  readonly total: number;
  readonly fullest: readonly LocalAddress[];
}

/**
 * Which usable ports are held on which local address, for one protocol: the bind() regime. An IPv4 address meets holders
 * of itself, of 0.0.0.0 and of dual-stack ::; a native IPv6 address those of itself and of any ::.
 *
 * Wildcard addresses are holders and never keys. bind(::, 0) meets every holder, which `usedPorts` tells. bind(0.0.0.0, 0)
 * meets at most as many: all of IPv4, and of native IPv6 those that did connect() without bind() (their sk_ipv6only is
 * unset, net/ipv4/inet_connection_sock.c), which no dump tells from the others.
 *
 * Of holders that are bound to devices, a socket bound to none meets all, and one bound to a device those of the same
 * device and those bound to none (inet_bind_conflict(), udp_lib_lport_inuse()). So an address counts for a socket bound
 * to none, which is the worst; except a link-local one, where a socket needs a device, and those in VRFs, whose TCP
 * sockets meet none from outside.
 */
export class LocalAddresses {
  readonly #usable: PortSet;
  readonly #ipv4: Holders;
  readonly #ipv6: Holders;
  readonly #splitsVrfs: boolean;
  /** Of sockets bound to any device outside of VRFs, or to none. */
  readonly #wildcards: Wildcards;
  /** Of sockets bound to none. */
  readonly #unboundWildcards: Wildcards;
  readonly #deviceWildcards = new Map<number, Wildcards>();
  /** Devices of VRFs that have ports of their own. */
  readonly #vrfDevices = new Set<number>();
  readonly #everything: PortSet;

  /** @param splitsVrfs whether each VRF has ports of its own: TCP, without `tcp_l3mdev_accept` */
  constructor(usable: PortSet, splitsVrfs: boolean) {
    this.#usable = usable;
    this.#splitsVrfs = splitsVrfs;
    this.#ipv4 = new Holders(4, usable);
    this.#ipv6 = new Holders(6, usable);
    this.#wildcards = new Wildcards(usable);
    this.#unboundWildcards = new Wildcards(usable);
    this.#everything = usable.emptyCopy();
  }

  /** Counts a socket if its port is usable. */
  add(record: SocketRecord): void {
    const port = record.localPort;
    if (!this.#usable.has(port)) return;
    this.#everything.add(port);
    const isInVrf = record.vrf !== 0 && this.#splitsVrfs;
    if (isInVrf) this.#vrfDevices.add(record.device);
    if (!isWildcard(record)) {
      const needsDevice = record.device !== 0 && (isInVrf || isLinkLocal(record));
      (record.family === 4 ? this.#ipv4 : this.#ipv6).add(record, needsDevice ? record.device : 0);
      return;
    }
    if (!isInVrf) this.#wildcards.add(record);
    if (record.device === 0) this.#unboundWildcards.add(record);
    else this.#wildcardsOf(record.device).add(record);
  }

  /** Distinct usable ports with any socket. */
  get usedPorts(): number {
    return this.#everything.size;
  }

  /** Ports held by any socket that are of `parity` (0 even, 1 odd). */
  usedOfParity(parity: number): number {
    return this.#everything.sizeOfParity(parity);
  }

  /** Ports that bind(address, 0) cannot have on each address of a family that was seen, VRFs left out. */
  *heldPorts(family: Family): Generator<HeldPorts> {
    const holders = family === 4 ? this.#ipv4 : this.#ipv6;
    for (const { address, device, ports } of holders.all()) {
      if (this.#vrfDevices.has(device)) continue;
      yield { address, held: unionOf([ports, ...this.#wildcardsMet(device, family)]) ?? ports };
    }
  }

  /** Further bind() calls to 127.0.0.1, or ::1, and port 0 that succeed. */
  availableOnLoopback(): LoopbackAvailable {
    const usable = this.#usable.size;
    const ipv4 = [...this.#ipv4.portsOf(LOOPBACK), ...this.#wildcards.covering(4)];
    const ipv6 = [...this.#ipv6.portsOf(LOOPBACK6), ...this.#wildcards.covering(6)];
    return { ipv4: usable - sizeOfUnion(ipv4), ipv6: usable - sizeOfUnion(ipv6) };
  }

  /** Every address seen, and, unnamed, one of each family that nobody uses yet. */
  summarise(limit: number, deviceName: DeviceName): { worst: Regime; addresses: LocalAddressesSnapshot } {
    const usableCount = this.#usable.size;
    const rows = ([4, 6] as const).flatMap((family) =>
      (family === 4 ? this.#ipv4 : this.#ipv6).rows((device) => this.#wildcardsMet(device, family)),
    );
    const unused = [0, ...this.#vrfDevices].flatMap((device) =>
      ([4, 6] as const).map((family) => sizeOfUnion(this.#wildcardsMet(device, family))),
    );
    const mostUsed = rows.reduce((most, { used }) => Math.max(most, used), Math.max(...unused));
    const shown = fullest(limit, rows.length, (index) => (rows[index] as Row).used);
    return {
      worst: regime(usableCount - mostUsed, usableCount),
      addresses: {
        total: rows.length,
        fullest: shown.map((index) => {
          const { name, device, used } = rows[index] as Row;
          return {
            localAddress: name(),
            device: device === 0 ? '' : deviceName(device),
            used,
            ...regime(usableCount - used, usableCount),
          };
        }),
      },
    };
  }

  /** Ports that holders of wildcard addresses take from the addresses of a family. */
  #wildcardsMet(device: number, family: Family): PortSet[] {
    if (device === 0) return this.#wildcards.covering(family);
    const same = this.#deviceWildcards.get(device)?.covering(family) ?? [];
    return this.#vrfDevices.has(device) ? same : [...same, ...this.#unboundWildcards.covering(family)];
  }

  #wildcardsOf(device: number): Wildcards {
    const known = this.#deviceWildcards.get(device);
    if (known !== undefined) return known;
    const found = new Wildcards(this.#usable);
    this.#deviceWildcards.set(device, found);
    return found;
  }
}
