import type { Family, SocketRecord } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress, isWildcard, writeLocal } from './address.ts';
import { type Regime, regime } from './exhaustion.ts';
import { fullest } from './fullest.ts';
import { KeyTable } from './keyTable.ts';
import { type PortSet, sizeOfUnion } from './portSet.ts';

/** One local address as bind(address, 0) meets it, as exported. */
export interface LocalAddress extends Regime {
  readonly localAddress: string;
  /** Distinct usable ports that bind(address, 0) cannot have. */
  readonly used: number;
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
 */
export class LocalAddresses {
  readonly #usable: PortSet;
  readonly #ipv4: Holders;
  readonly #ipv6: Holders;
  readonly #ipv4Wildcard: PortSet;
  readonly #dualStackWildcard: PortSet;
  readonly #ipv6OnlyWildcard: PortSet;
  readonly #everything: PortSet;

  constructor(usable: PortSet) {
    this.#usable = usable;
    this.#ipv4 = new Holders(4, usable);
    this.#ipv6 = new Holders(6, usable);
    this.#ipv4Wildcard = usable.emptyCopy();
    this.#dualStackWildcard = usable.emptyCopy();
    this.#ipv6OnlyWildcard = usable.emptyCopy();
    this.#everything = usable.emptyCopy();
  }

  /** Counts a socket if its port is usable. */
  add(record: SocketRecord): void {
    const port = record.localPort;
    if (!this.#usable.has(port)) return;
    this.#everything.add(port);
    if (!isWildcard(record)) (record.family === 4 ? this.#ipv4 : this.#ipv6).add(record);
    else if (record.family === 4) this.#ipv4Wildcard.add(port);
    else if (record.v6only) this.#ipv6OnlyWildcard.add(port);
    else this.#dualStackWildcard.add(port);
  }

  /** Distinct usable ports with any socket. */
  get usedPorts(): number {
    return this.#everything.size;
  }

  /** Ports held by any socket that are of `parity` (0 even, 1 odd). */
  usedOfParity(parity: number): number {
    return this.#everything.sizeOfParity(parity);
  }

  /** Further bind() calls to 127.0.0.1, or ::1, and port 0 that succeed. */
  availableOnLoopback(): LoopbackAvailable {
    const usable = this.#usable.size;
    const ipv4 = [...this.#ipv4.portsOf(LOOPBACK), this.#ipv4Wildcard, this.#dualStackWildcard];
    const ipv6 = [...this.#ipv6.portsOf(LOOPBACK6), this.#ipv6OnlyWildcard, this.#dualStackWildcard];
    return { ipv4: usable - sizeOfUnion(ipv4), ipv6: usable - sizeOfUnion(ipv6) };
  }

  /** Every address seen, and, unnamed, one of each family that nobody uses yet. */
  summarise(limit: number): { worst: Regime; addresses: LocalAddressesSnapshot } {
    const usableCount = this.#usable.size;
    const rows = [
      ...this.#ipv4.rows([this.#ipv4Wildcard, this.#dualStackWildcard]),
      ...this.#ipv6.rows([this.#ipv6OnlyWildcard, this.#dualStackWildcard]),
    ];
    const unused = [
      sizeOfUnion([this.#ipv4Wildcard, this.#dualStackWildcard]),
      sizeOfUnion([this.#ipv6OnlyWildcard, this.#dualStackWildcard]),
    ];
    const mostUsed = rows.reduce((most, { used }) => Math.max(most, used), Math.max(...unused));
    const shown = fullest(limit, rows.length, (index) => (rows[index] as Row).used);
    return {
      worst: regime(usableCount - mostUsed, usableCount),
      addresses: {
        total: rows.length,
        fullest: shown.map((index) => {
          const { name, used } = rows[index] as Row;
          return { localAddress: name(), used, ...regime(usableCount - used, usableCount) };
        }),
      },
    };
  }
}

interface Row {
  /** Made only for rows that are exported. */
  readonly name: () => string;
  readonly used: number;
}

/** The addresses of one family and the ports held on each. */
class Holders {
  readonly #family: Family;
  readonly #addresses: KeyTable;
  readonly #empty: PortSet;
  readonly #sets: PortSet[] = [];
  /** Ports of the address that came last: dumps bring long runs of the same one. */
  #last: PortSet;

  constructor(family: Family, empty: PortSet) {
    this.#family = family;
    this.#addresses = new KeyTable(ADDRESS_WORDS[family]);
    this.#empty = empty;
    this.#last = empty;
  }

  add(record: SocketRecord): void {
    if (!this.#isLast(record)) this.#last = this.#setOf(record);
    this.#last.add(record.localPort);
  }

  /** The address that came last still stands in the table's key. */
  #isLast(record: SocketRecord): boolean {
    const { key } = this.#addresses;
    if (this.#sets.length === 0 || key[0] !== record.local0) return false;
    if (this.#family === 4) return true;
    return key[1] === record.local1 && key[2] === record.local2 && key[3] === record.local3;
  }

  #setOf(record: SocketRecord): PortSet {
    writeLocal(this.#addresses.key, 0, record);
    const row = this.#addresses.upsert();
    if (row === this.#sets.length) this.#sets.push(this.#empty.emptyCopy());
    return this.#sets[row] as PortSet;
  }

  /** The set of one address, or none where it was not seen. Called after the last record was added. */
  portsOf(address: readonly number[]): PortSet[] {
    this.#addresses.key.set(address);
    const row = this.#addresses.find();
    return row < 0 ? [] : [this.#sets[row] as PortSet];
  }

  rows(wildcards: readonly PortSet[]): Row[] {
    return this.#sets.map((ports, row) => ({
      name: () => formatAddress(this.#addresses, row, 0, this.#family),
      used: sizeOfUnion([ports, ...wildcards]),
    }));
  }
}
