import type { Family, SocketRecord } from '../sockets/record.ts';
import { DroppedTotals } from './droppedTotals.ts';
import { type ListenerRow, type ListenerSocket, ListenerTable } from './listenerTable.ts';
import type { PortSet } from './portSet.ts';

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
  /** Connections, or datagrams, that its sockets dropped, closed ones too; undefined where the source does not tell. */
  readonly dropped: number | undefined;
  /** Accepted connections now. TCP only. */
  readonly connections: number | undefined;
  /** The port is usable for automatic choice: it blocks connects, and an ephemeral socket can take it. */
  readonly inEphemeralRange: boolean;
  readonly sockets: readonly ListenerSocket[];
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
   * @param dropped of the samples before; this one is added to it
   * @returns the fullest by their queue, then by their connections
   */
  snapshot(
    limit: number,
    isListener: (row: ListenerRow, isUsable: boolean) => boolean = () => true,
    dropped = new DroppedTotals(),
  ): ListenersSnapshot {
    const rows = this.#tables
      .flatMap((table) => table.rows)
      .filter((row) => isListener(row, this.#usable.has(row.port)));
    // Of all of them, shown or not: a limit must not make a counter fall.
    const totals = dropped.update(rows.map((row) => [this.#tableOf(row.family).keyOf(row), row.drops]));
    for (const [index, row] of rows.entries()) row.dropped = totals[index];
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
      dropped: row.dropped,
      connections: row.isTcp ? row.connections : undefined,
      inEphemeralRange: this.#usable.has(row.port),
      sockets: row.sockets,
    };
  }

  #tableOf(family: Family): ListenerTable {
    return this.#tables[family === 4 ? 0 : 1];
  }
}

function byFullness(a: ListenerRow, b: ListenerRow): number {
  return b.acceptQueue - a.acceptQueue || b.connections - a.connections || a.port - b.port || a.row - b.row;
}

function known(value: number): number | undefined {
  return value < 0 ? undefined : value;
}
