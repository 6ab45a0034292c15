import {
  type ConntrackRecord,
  ConntrackStatus,
  type ConntrackTuple,
  TcpConntrackState,
} from '../conntrack/record.ts';
import { writeDestination, writeSource } from '../conntrack/tuple.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../kernel/libc.ts';
import type { Family } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress } from './address.ts';
import { KeyTable } from './keyTable.ts';
import { SnatHeldPorts } from './snatHeldPorts.ts';
import type { AssumedPorts, SnatPorts } from './snatPorts.ts';
import { Held } from './snatRefusals.ts';

/** What tells destinations behind a NAT apart: the kernel searches a port for each of them on its own. */
export interface SnatKey {
  readonly protocol: 'tcp' | 'udp';
  readonly natAddress: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** 0 for the usual one. */
  readonly zone: number;
}

/** Whose connections hold ports: the source address of their first packets, the NAT address for those of the host itself. */
export interface SnatClient {
  readonly address: string;
  readonly ports: number;
}

/** The row of a NAT address and the protocol, the remote port and the zone, then the remote address. */
const NAT_WORD = 0;
const PORT_WORD = 1;
const REMOTE_WORD = 2;
const { SRC_NAT, SEEN_REPLY, DYING, FIXED_TIMEOUT, OFFLOAD, HW_OFFLOAD } = ConntrackStatus;
/** What nf_nat_may_kill() and its caller look at (net/netfilter/nf_nat_core.c). */
const EVICTION_STATUS = SRC_NAT | DYING | FIXED_TIMEOUT | OFFLOAD | HW_OFFLOAD;

/**
 * Which key holds which ports of the assumed range, in one family. A port is held where an entry's reply tuple is
 * `remote → NAT address:port`, or its original tuple is, whatever was translated: the kernel looks for either.
 *
 * NAT addresses are those that the walk before has met: what is met for the first time was overlooked until then.
 */
export class SnatKeys {
  readonly #family: Family;
  readonly #assumed: AssumedPorts;
  /** NAT addresses of the last walk, and of this one. */
  #known: KeyTable;
  #met: KeyTable;
  #ports: SnatPorts[] = [];
  readonly #keys: KeyTable;
  /** Source addresses, as connections began. */
  readonly #clients: KeyTable;
  readonly #held = new SnatHeldPorts();

  constructor(family: Family, assumed: AssumedPorts) {
    this.#family = family;
    this.#assumed = assumed;
    this.#known = new KeyTable(ADDRESS_WORDS[family]);
    this.#met = new KeyTable(ADDRESS_WORDS[family]);
    this.#keys = new KeyTable(REMOTE_WORD + ADDRESS_WORDS[family]);
    this.#clients = new KeyTable(ADDRESS_WORDS[family]);
  }

  /** Before a walk of that many entries: forgets the last one, but for its NAT addresses. */
  begin(entries: number): void {
    [this.#known, this.#met] = [this.#met, this.#known];
    this.#met.clear();
    this.#keys.clear();
    this.#clients.clear();
    this.#held.clear(entries);
    this.#ports = Array.from({ length: this.#known.size }, (_, row) =>
      this.#assumed.of(() => formatAddress(this.#known, row, 0, this.#family)),
    );
  }

  /** NAT addresses that this walk has met. */
  get addresses(): number {
    return this.#met.size;
  }

  /** Keys that hold ports, those of addresses that are no NAT addresses any more too: see `isCurrent`. */
  get size(): number {
    return this.#keys.size;
  }

  add(record: ConntrackRecord): void {
    const { protocol, status, original, reply } = record;
    if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return;
    if ((status & SRC_NAT) !== 0) {
      writeDestination(this.#met.key, 0, reply, this.#family);
      this.#met.upsert();
    }
    const state = stateOf(record);
    this.#hold(reply, record, isEvictable(record) ? state : state | Held.FIRM);
    this.#hold(original, record, state | Held.FIRM);
  }

  /** Whether its address is a NAT address still. */
  isCurrent(row: number): boolean {
    const address = this.#natRow(row);
    for (let word = 0; word < ADDRESS_WORDS[this.#family]; word++)
      this.#met.key[word] = this.#known.word(address, word);
    return this.#met.find() >= 0;
  }

  isUdp(row: number): boolean {
    return (this.#keys.word(row, NAT_WORD) & 1) === 1;
  }

  /** The range that is assumed for it. */
  ports(row: number): SnatPorts {
    return this.#ports[this.#natRow(row)] as SnatPorts;
  }

  /** Ports it holds, or more: what two entries hold counts twice. */
  atMost(row: number): number {
    return this.#held.atMost(row);
  }

  /** Writes what holds each port of its range: bits of `Held`. */
  fill(row: number, held: Uint8Array): void {
    const { first, last } = this.ports(row);
    held.fill(0, 0, last - first + 1);
    this.#held.fill(row, first, held);
  }

  /** Whose connections hold most ports of its range, as many as the limit, most first. */
  clients(row: number, limit: number): SnatClient[] {
    return this.#held.mostOf(row, limit).map(({ client, ports }) => ({
      address: formatAddress(this.#clients, client, 0, this.#family),
      ports,
    }));
  }

  describe(row: number): SnatKey {
    const portAndZone = this.#keys.word(row, PORT_WORD);
    return {
      protocol: this.isUdp(row) ? 'udp' : 'tcp',
      natAddress: formatAddress(this.#known, this.#natRow(row), 0, this.#family),
      remoteAddress: formatAddress(this.#keys, row, REMOTE_WORD, this.#family),
      remotePort: portAndZone & 0xffff,
      zone: portAndZone >>> 16,
    };
  }

  #natRow(row: number): number {
    return this.#keys.word(row, NAT_WORD) >>> 1;
  }

  #hold(tuple: ConntrackTuple, { protocol, original }: ConntrackRecord, bits: number): void {
    writeDestination(this.#known.key, 0, tuple, this.#family);
    const address = this.#known.find();
    if (address < 0) return;
    const { first, last } = this.#ports[address] as SnatPorts;
    const { destinationPort: port } = tuple;
    if (port < first || port > last) return;
    const row = this.#rowOf(address, protocol, tuple);
    this.#held.add(row, port, bits, this.#clientRow(original));
  }

  #rowOf(address: number, protocol: number, tuple: ConntrackTuple): number {
    const { key } = this.#keys;
    key[NAT_WORD] = (address << 1) | Number(protocol === IPPROTO_UDP);
    key[PORT_WORD] = tuple.sourcePort | (tuple.zone << 16);
    writeSource(key, REMOTE_WORD, tuple, this.#family);
    const known = this.#keys.size;
    const row = this.#keys.upsert();
    if (row === known) this.#held.begin(row, this.#keys.capacity);
    return row;
  }

  #clientRow(original: ConntrackTuple): number {
    writeSource(this.#clients.key, 0, original, this.#family);
    return this.#clients.upsert();
  }
}

/** Its bits of `Held`. Of UDP what was answered is established. */
export function stateOf({ protocol, status, tcpState }: ConntrackRecord): number {
  if (protocol === IPPROTO_UDP) return (status & SEEN_REPLY) === 0 ? Held.HELD : Held.HELD | Held.ESTABLISHED;
  if (tcpState === TcpConntrackState.ESTABLISHED) return Held.HELD | Held.ESTABLISHED;
  return tcpState === TcpConntrackState.TIME_WAIT ? Held.HELD | Held.TIME_WAIT : Held.HELD;
}

/** By its reply tuple: TIME_WAIT and the states after it. */
export function isEvictable({ status, tcpState }: ConntrackRecord): boolean {
  return tcpState >= TcpConntrackState.TIME_WAIT && (status & EVICTION_STATUS) === SRC_NAT;
}
