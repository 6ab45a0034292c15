import { type Family, type SocketRecord, TcpState } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress, isWildcard, writeLocal } from './address.ts';
import { KeyTable } from './keyTable.ts';
import { PortSet } from './portSet.ts';

/** Every socket that listens on one address and port, as exported: several where they share it (SO_REUSEPORT). */
export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly family: Family;
  /** Every socket has IPV6_V6ONLY, so that `::` takes no IPv4. False where the source does not tell (procfs). */
  readonly ipv6Only: boolean;
  /** Connections waiting for accept(). TCP only. */
  readonly acceptQueue: number | undefined;
  /** Backlogs added up; undefined where the source does not tell (procfs). TCP only. */
  readonly acceptQueueLimit: number | undefined;
  /** Connections, or datagrams, that the sockets dropped; undefined where the source does not tell. */
  readonly dropped: number | undefined;
  /** Accepted connections now. TCP only. */
  readonly connections: number | undefined;
  /** The port is usable for automatic choice: it blocks connects, and an ephemeral socket can take it. */
  readonly inEphemeralRange: boolean;
  readonly sockets: readonly ListenerSocket[];
}

/** What is needed to find out who holds a listening socket. */
export interface ListenerSocket {
  readonly inode: number;
  /** undefined where the source does not tell. */
  readonly cgroupId: number | undefined;
}

export interface ListenersSnapshot {
  /** Listening sockets by the family that they were opened with. */
  readonly counts: { readonly ipv4: number; readonly ipv6: number };
  /** Addresses and ports listened on. */
  readonly total: number;
  readonly fullest: readonly Listener[];
}

/** The listening sockets of one protocol by address and port, and which of them a connection belongs to. */
export class Listeners {
  readonly #usable: PortSet;
  readonly #tables = [new ListenerTable(4), new ListenerTable(6)] as const;

  constructor(usable: PortSet) {
    this.#usable = usable;
  }

  add(record: SocketRecord): void {
    this.#tableOf(record.family).add(record);
  }

  /** Counts a connection with the listener that accepted it, or would have → whether there is one: it is inbound. */
  accepts(connection: SocketRecord): boolean {
    const [ipv4, ipv6] = this.#tables;
    if (connection.family === 6) return ipv6.accepts(connection, false);
    return ipv4.accepts(connection, false) || ipv6.accepts(connection, true);
  }

  /**
   * @param isListener whether an address and port count as listened on at all; by default all do
   * @returns the fullest by their queue, then by their connections
   */
  snapshot(
    limit: number,
    isListener: (row: ListenerRow, isUsable: boolean) => boolean = () => true,
  ): ListenersSnapshot {
    const rows = this.#tables
      .flatMap((table) => table.rows)
      .filter((row) => isListener(row, this.#usable.has(row.port)));
    const shown = rows.toSorted(byFullness).slice(0, limit);
    const count = (group: 0 | 1) => rows.reduce((sum, row) => sum + row.socketsByFamily[group], 0);
    return {
      counts: { ipv4: count(0), ipv6: count(1) },
      total: rows.length,
      fullest: shown.map((row) => this.#exported(row)),
    };
  }

  #exported(row: ListenerRow): Listener {
    return {
      address: this.#tableOf(row.family).addressOf(row),
      port: row.port,
      family: row.family,
      ipv6Only: row.ipv6Only,
      acceptQueue: row.isTcp ? known(row.acceptQueue) : undefined,
      acceptQueueLimit: known(row.acceptQueueLimit),
      dropped: known(row.dropped),
      connections: row.isTcp ? row.connections : undefined,
      inEphemeralRange: this.#usable.has(row.port),
      sockets: row.sockets,
    };
  }

  #tableOf(family: Family): ListenerTable {
    return this.#tables[family === 4 ? 0 : 1];
  }
}

/** One address and port while it is being counted. What cannot be known is -1. */
interface ListenerRow {
  readonly family: Family;
  readonly port: number;
  readonly isTcp: boolean;
  /** Row of the key table. */
  readonly row: number;
  ipv6Only: boolean;
  acceptQueue: number;
  acceptQueueLimit: number;
  dropped: number;
  connections: number;
  readonly sockets: ListenerSocket[];
  /** Sockets opened as IPv4, and as IPv6. */
  readonly socketsByFamily: [number, number];
}

class ListenerTable {
  readonly #family: Family;
  readonly #keys: KeyTable;
  /** The wildcard listener on each port. */
  readonly #wildcards = new Map<number, ListenerRow>();
  /** Those of the wildcards that take IPv4 too. */
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
    row.dropped = sumKnown(row.dropped, record.drops);
    row.sockets.push({ inode: record.inode, cgroupId: cgroupIdOf(record) });
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

  /** As the kernel looks a listener up: the exact address before the wildcard. */
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
    dropped: 0,
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

function known(value: number): number | undefined {
  return value < 0 ? undefined : value;
}

function cgroupIdOf({ cgroupLow, cgroupHigh }: SocketRecord): number | undefined {
  const id = (cgroupHigh >>> 0) * 2 ** 32 + (cgroupLow >>> 0);
  return id === 0 ? undefined : id;
}

function byFullness(a: ListenerRow, b: ListenerRow): number {
  return b.acceptQueue - a.acceptQueue || b.connections - a.connections || a.port - b.port || a.row - b.row;
}
