import type { Family, SocketRecord } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress } from './address.ts';
import { ConnectionList } from './connectionList.ts';
import type { DestinationHolders } from './destinationHolders.ts';
import { type DestinationKey, newDestinationTable, writeDestinationOf } from './destinationKey.ts';
import type { KeyTable } from './keyTable.ts';
import type { PortSet } from './portSet.ts';
import {
  allColumns,
  type Columns,
  grown,
  increment,
  kindOfState,
  newColumns,
  RECLAIMABLE,
} from './tupleColumns.ts';

/**
 * The destinations (local address, remote address, remote port, bound device) of one family, with what each holds, in
 * columns. A destination has at most 65 535 ports, so 16 bits count them.
 */
export class TupleTable {
  readonly family: Family;
  readonly keys: KeyTable;
  #columns: Columns;
  #watched: DestinationHolders | undefined;
  /** Connections on ports that connect() takes second: row, port and kind of each. See inference.ts. */
  readonly secondHalf = new ConnectionList();
  /** Connections in the second half that other destinations' connections take from a row too. */
  readonly #metSecondHalf = new ConnectionList();
  /** Connections on ports of which it shows during the walk whether they are blocked. */
  readonly #undecided = new ConnectionList();
  /** Every connection, while `keepsPorts`. */
  readonly connections = new ConnectionList();
  /** Rows of sockets that are bound to a device, with the VRF of that device. */
  readonly deviceRows = new Map<number, number>();
  keepsPorts = false;

  constructor(family: Family) {
    this.family = family;
    this.keys = newDestinationTable(family);
    this.#columns = newColumns(this.keys.capacity);
  }

  get size(): number {
    return this.keys.size;
  }

  /** Counts one more outbound connection, whose port is usable. */
  add(record: SocketRecord, place: PortPlace, reclaimable: boolean): void {
    const row = this.#rowOf(record);
    const kind = reclaimable ? RECLAIMABLE : kindOfState(record.state);
    increment(this.#columns.held[kind] as Uint16Array, row);
    const watched = this.#columns.watched[row] as number;
    if (watched > 0) this.#watched?.addTo(watched, record);
    if (this.keepsPorts) this.connections.push(row, record.localPort, kind);
    if (place === 'undecided') this.#undecided.push(row, record.localPort, kind);
    else this.#take(row, record.localPort, place, kind, this.secondHalf);
  }

  /** After the walk: takes the ports that were undecided. */
  decide(placeOf: (port: number) => DecidedPlace): void {
    const list = this.#undecided;
    for (let index = 0; index < list.size; index++) {
      const port = list.port(index);
      this.#take(list.row(index), port, placeOf(port), list.kind(index), this.secondHalf);
    }
    list.clear();
  }

  /** Takes the port from the row as well: it is held by a connection of another destination that this one meets. */
  meet(row: number, port: number, place: DecidedPlace, kind: number): void {
    this.#take(row, port, place, kind, this.#metSecondHalf);
  }

  /** Takes connections out of the count of those on unblocked ports: these ports turned out to be blocked. */
  turnBlocked(ports: PortSet): void {
    // Where every connection was kept, those of the first half may be among them.
    for (const list of [this.keepsPorts ? this.connections : this.secondHalf, this.#metSecondHalf]) {
      for (let index = 0; index < list.size; index++) {
        if (!ports.has(list.port(index))) continue;
        const row = list.row(index);
        const column = this.#columns.free[list.kind(index) === RECLAIMABLE ? 1 : 0];
        column[row] = (column[row] as number) - 1;
      }
    }
  }

  /** Remembers of each row how many of these ports it holds for good: whether they are blocked makes no difference to it. */
  countUncertain(ports: PortSet): void {
    for (const list of [this.keepsPorts ? this.connections : this.secondHalf, this.#metSecondHalf]) {
      for (let index = 0; index < list.size; index++) {
        if (list.kind(index) !== RECLAIMABLE && ports.has(list.port(index)))
          increment(this.#columns.uncertain, list.row(index));
      }
    }
  }

  /** Uncertain ports that the destination holds. */
  heldUncertain(row: number): number {
    return this.#columns.uncertain[row] as number;
  }

  /** Ports the destination holds, blocked ones too, by what they do. */
  held(row: number): { established: number; timeWait: number; other: number } {
    const [established, timeWait, other, reclaimable] = this.#columns.held;
    return {
      established: established[row] as number,
      timeWait: (timeWait[row] as number) + (reclaimable[row] as number),
      other: other[row] as number,
    };
  }

  heldTotal(row: number): number {
    const { established, timeWait, other } = this.held(row);
    return established + timeWait + other;
  }

  /** Unblocked ports on which another connect() to the destination fails. */
  taken(row: number): number {
    return this.#columns.free[0][row] as number;
  }

  /** Unblocked ports held by a TIME_WAIT socket that connect() may take over now. */
  reclaimable(row: number): number {
    return this.#columns.free[1][row] as number;
  }

  /** Unblocked ports of the half that connect() takes first. */
  firstHalf(row: number): number {
    return this.#columns.firstHalf[row] as number;
  }

  describe(row: number): DestinationKey {
    const words = ADDRESS_WORDS[this.family];
    return {
      localAddress: formatAddress(this.keys, row, 0, this.family),
      remoteAddress: formatAddress(this.keys, row, words, this.family),
      remotePort: this.keys.word(row, 2 * words),
      deviceIndex: this.keys.word(row, 2 * words + 1),
    };
  }

  /** Which of the watched destinations it is, counted from 1; 0 for none. */
  watchedPlace(row: number): number {
    return this.#columns.watched[row] as number;
  }

  /** @param watched of the next sample */
  clear(watched: DestinationHolders | undefined, keepsPorts: boolean): void {
    this.#watched = watched;
    this.keepsPorts = keepsPorts;
    this.keys.clear();
    this.secondHalf.clear();
    this.#metSecondHalf.clear();
    this.#undecided.clear();
    this.connections.clear();
    this.deviceRows.clear();
    for (const column of allColumns(this.#columns)) column.fill(0);
  }

  #rowOf(record: SocketRecord): number {
    const { key } = this.keys;
    writeDestinationOf(key, record);
    const known = this.keys.size;
    const row = this.keys.upsert();
    if (this.keys.capacity > this.#columns.firstHalf.length)
      this.#columns = grown(this.#columns, this.keys.capacity);
    if (row < known) return row;
    if (record.device !== 0) this.deviceRows.set(row, record.vrf);
    if (this.#watched !== undefined) this.#columns.watched[row] = this.#watched.placeOf(this.family, key);
    return row;
  }

  #take(row: number, port: number, place: DecidedPlace, kind: number, secondHalf: ConnectionList): void {
    if (place === 'blocked') return;
    increment(this.#columns.free[kind === RECLAIMABLE ? 1 : 0], row);
    if (place === 'first half') increment(this.#columns.firstHalf, row);
    else secondHalf.push(row, port, kind);
  }
}

/** Where the port of a connection lies: held by bind() for everyone, or in the half that connect() takes first or second. */
export type DecidedPlace = 'blocked' | 'first half' | 'second half';
export type PortPlace = DecidedPlace | 'undecided';
