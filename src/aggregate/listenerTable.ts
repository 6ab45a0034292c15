import { cgroupIdOf, type Family, type SocketRecord, TcpState } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress, isWildcard, writeLocal } from './address.ts';
import type { SocketDrops } from './droppedTotals.ts';
import { KeyTable } from './keyTable.ts';
import { PortSet } from './portSet.ts';

/** What is needed to find out who holds a listening socket. */
export interface ListenerSocket {
  readonly inode: number;
  /** undefined where the source does not tell. */
  readonly cgroupId: number | undefined;
}

/** One address and port while it is being counted. What cannot be known is -1. */
export interface ListenerRow {
  readonly family: Family;
  readonly port: number;
  readonly isTcp: boolean;
  /** Row of the key table. */
  readonly row: number;
  ipv6Only: boolean;
  acceptQueue: number;
  acceptQueueLimit: number;
  /** Of each of its sockets. */
  readonly drops: SocketDrops[];
  dropped: number | undefined;
  connections: number;
  readonly sockets: ListenerSocket[];
  /** Sockets opened as IPv4, and as IPv6. */
  readonly socketsByFamily: [number, number];
}

/** The listeners of one family by address and port. */
export class ListenerTable {
  readonly #family: Family;
  readonly #keys: KeyTable;
  /** The wildcard listener on each port. */
  readonly #wildcards = new Map<number, ListenerRow>();
  /** The wildcard listeners that take IPv4 too. */
  readonly #dualStack = new Map<number, ListenerRow>();
  /** Ports listened on, on any address: most connections have another. */
  readonly #ports = new PortSet(0, 65_535);
  readonly rows: ListenerRow[] = [];

  constructor(family: Family) {
    this.#family = family;
    this.#keys = new KeyTable(ADDRESS_WORDS[family] + 1);
  }

  add(record: SocketRecord): void {
    const port = record.localPort;
    this.#writeKey(record);
    const index = this.#keys.upsert();
    const row = this.rows[index] ?? newRow(record, index);
    if (index === this.rows.length) this.rows.push(row);
    row.ipv6Only &&= record.v6only;
    row.acceptQueue = sumKnown(row.acceptQueue, record.receiveQueue);
    row.acceptQueueLimit = sumKnown(row.acceptQueueLimit, record.backlogLimit);
    row.drops.push({ id: record.id, drops: record.drops });
    row.sockets.push({ inode: record.inode, cgroupId: cgroupIdOf(record) || undefined });
    row.socketsByFamily[record.socketFamily === 4 ? 0 : 1]++;
    this.#ports.add(port);
    if (!isWildcard(record)) return;
    this.#wildcards.set(port, row);
    if (record.family === 6 && !record.v6only) this.#dualStack.set(port, row);
  }

  /** @param asIpv4 an IPv4 connection, which only a dual-stack wildcard of IPv6 takes */
  accepts(connection: SocketRecord, asIpv4: boolean): boolean {
    const port = connection.localPort;
    if (!this.#ports.has(port)) return false;
    const row = asIpv4 ? this.#dualStack.get(port) : this.#rowFor(connection);
    if (row === undefined) return false;
    if (isAccepted(connection)) row.connections++;
    return true;
  }

  addressOf({ row }: ListenerRow): string {
    return formatAddress(this.#keys, row, 1, this.#family);
  }

  /** The same for the same address and port in every sample. */
  keyOf({ row }: ListenerRow): string {
    let key = String(this.#family);
    for (let word = 0; word <= ADDRESS_WORDS[this.#family]; word++) key += `,${this.#keys.word(row, word)}`;
    return key;
  }

  /** The kernel's order of lookup: the exact address before the wildcard. */
  #rowFor(connection: SocketRecord): ListenerRow | undefined {
    this.#writeKey(connection);
    return this.rows[this.#keys.find()] ?? this.#wildcards.get(connection.localPort);
  }

  #writeKey(record: SocketRecord): void {
    this.#keys.key[0] = record.localPort;
    writeLocal(this.#keys.key, 1, record);
  }
}

function newRow(record: SocketRecord, row: number): ListenerRow {
  return {
    family: record.family,
    port: record.localPort,
    isTcp: record.state === TcpState.LISTEN,
    row,
    ipv6Only: record.v6only,
    acceptQueue: 0,
    acceptQueueLimit: 0,
    drops: [],
    dropped: undefined,
    connections: 0,
    sockets: [],
    socketsByFamily: [0, 0],
  };
}

/** Not while it waits for accept(), when no file refers to it yet, and not once only TIME_WAIT is left of it. */
function isAccepted({ state, inode }: SocketRecord): boolean {
  if (state === TcpState.SYN_RECV || state === TcpState.TIME_WAIT) return false;
  return inode !== 0 || (state !== TcpState.ESTABLISHED && state !== TcpState.CLOSE_WAIT);
}

/** A sum is unknown where one of its parts is. */
function sumKnown(sum: number, part: number): number {
  return sum < 0 || part < 0 ? -1 : sum + part;
}
