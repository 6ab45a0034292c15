import type { Family, SocketRecord } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress, writeLocal } from './address.ts';
import { KeyTable } from './keyTable.ts';
import { type PortSet, sizeOfUnion } from './portSet.ts';

/** What is held on one address, of a family and, where it matters, a device. */
export interface Row {
  /** Made only for rows that are exported. */
  readonly name: () => string;
  /** Index of the device; 0 where any is the same. */
  readonly device: number;
  readonly used: number;
}

/** The addresses of one family and the ports held on each. */
export class Holders {
  readonly #family: Family;
  readonly #deviceWord: number;
  readonly #addresses: KeyTable;
  readonly #empty: PortSet;
  readonly #sets: PortSet[] = [];
  /** Ports of the address that came last: dumps bring long runs of the same one. */
  #last: PortSet;

  constructor(family: Family, empty: PortSet) {
    this.#family = family;
    this.#deviceWord = ADDRESS_WORDS[family];
    this.#addresses = new KeyTable(ADDRESS_WORDS[family] + 1);
    this.#empty = empty;
    this.#last = empty;
  }

  /** @param device 0 where it makes no difference */
  add(record: SocketRecord, device: number): void {
    if (!this.#isLast(record, device)) this.#last = this.#setOf(record, device);
    this.#last.add(record.localPort);
  }

  /** The address that came last still stands in the table's key. */
  #isLast(record: SocketRecord, device: number): boolean {
    const { key } = this.#addresses;
    if (this.#sets.length === 0 || key[0] !== record.local0) return false;
    if (key[this.#deviceWord] !== device) return false;
    if (this.#family === 4) return true;
    return key[1] === record.local1 && key[2] === record.local2 && key[3] === record.local3;
  }

  #setOf(record: SocketRecord, device: number): PortSet {
    writeLocal(this.#addresses.key, 0, record);
    this.#addresses.key[this.#deviceWord] = device;
    const row = this.#addresses.upsert();
    if (row === this.#sets.length) this.#sets.push(this.#empty.emptyCopy());
    return this.#sets[row] as PortSet;
  }

  /** Every address, by its words, with its ports. */
  *all(): Generator<{ readonly address: number[]; readonly device: number; readonly ports: PortSet }> {
    for (const [row, ports] of this.#sets.entries()) {
      const address = Array.from({ length: this.#deviceWord }, (_, word) => this.#addresses.word(row, word));
      yield { address, device: this.#addresses.word(row, this.#deviceWord), ports };
    }
  }

  /** The set of one address, or none where it was not seen. Called after the last record was added. */
  portsOf(address: readonly number[]): PortSet[] {
    this.#addresses.key.fill(0);
    this.#addresses.key.set(address);
    const row = this.#addresses.find();
    return row < 0 ? [] : [this.#sets[row] as PortSet];
  }

  /** @param wildcards what is held on wildcard addresses and met on any address by a socket of a device */
  rows(wildcards: (device: number) => readonly PortSet[]): Row[] {
    return this.#sets.map((ports, row) => {
      const device = this.#addresses.word(row, this.#deviceWord);
      return {
        name: () => formatAddress(this.#addresses, row, 0, this.#family),
        device,
        used: sizeOfUnion([ports, ...wildcards(device)]),
      };
    });
  }
}

/** The ports held on wildcard addresses. */
export class Wildcards {
  readonly #ipv4: PortSet;
  readonly #dualStack: PortSet;
  readonly #ipv6Only: PortSet;

  constructor(usable: PortSet) {
    this.#ipv4 = usable.emptyCopy();
    this.#dualStack = usable.emptyCopy();
    this.#ipv6Only = usable.emptyCopy();
  }

  add(record: SocketRecord): void {
    const port = record.localPort;
    if (record.family === 4) this.#ipv4.add(port);
    else if (record.v6only) this.#ipv6Only.add(port);
    else this.#dualStack.add(port);
  }

  /** Ports that addresses of a family meet. */
  covering(family: Family): PortSet[] {
    return [family === 4 ? this.#ipv4 : this.#ipv6Only, this.#dualStack];
  }
}
