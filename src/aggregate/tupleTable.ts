import { type Family, type SocketRecord, TcpState } from '../sockets/record.ts';
import { ADDRESS_WORDS, formatAddress, writeLocal, writeRemote } from './address.ts';
import { newDestinationTable } from './destinationKey.ts';
import type { KeyTable } from './keyTable.ts';
import type { WatchedDestinations } from './watched.ts';

/**
 * The destinations (local address, remote address, remote port) of one family, with what each holds, in columns. A
 * destination has at most 65 535 ports, so 16 bits count them.
 */
export class TupleTable {
  readonly family: Family;
  readonly keys: KeyTable;
  #columns: Columns;
  #watched: WatchedDestinations | undefined;
  /** Connections on ports that connect() takes second: row, port and kind of each. See inference.ts. */
  readonly secondHalf = new ConnectionList();

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
    if (watched > 0) this.#watched?.add(watched, record);
    if (place === 'blocked') return;
    increment(this.#columns.free[reclaimable ? 1 : 0], row);
    if (place === 'first half') increment(this.#columns.firstHalf, row);
    else this.secondHalf.push(row, record.localPort, kind);
  }

  /** Takes one connection of `kind` out of the count of those on unblocked ports: its port turned out to be blocked. */
  turnBlocked(row: number, kind: number): void {
    const column = this.#columns.free[kind === RECLAIMABLE ? 1 : 0];
    column[row] = (column[row] as number) - 1;
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

  describe(row: number): { localAddress: string; remoteAddress: string; remotePort: number } {
    const words = ADDRESS_WORDS[this.family];
    return {
      localAddress: formatAddress(this.keys, row, 0, this.family),
      remoteAddress: formatAddress(this.keys, row, words, this.family),
      remotePort: this.keys.word(row, 2 * words),
    };
  }

  /** Which of the watched destinations it is, counted from 1; 0 for none. */
  watchedPlace(row: number): number {
    return this.#columns.watched[row] as number;
  }

  /** @param watched of the next sample */
  clear(watched: WatchedDestinations | undefined): void {
    this.#watched = watched;
    this.keys.clear();
    this.secondHalf.clear();
    for (const column of allColumns(this.#columns)) column.fill(0);
  }

  #rowOf(record: SocketRecord): number {
    const { key } = this.keys;
    const words = ADDRESS_WORDS[this.family];
    writeLocal(key, 0, record);
    writeRemote(key, words, record);
    key[2 * words] = record.remotePort;
    const known = this.keys.size;
    const row = this.keys.upsert();
    if (this.keys.capacity > this.#columns.firstHalf.length)
      this.#columns = grown(this.#columns, this.keys.capacity);
    if (row === known && this.#watched !== undefined)
      this.#columns.watched[row] = this.#watched.placeOf(this.family, key);
    return row;
  }
}

/** Where the port of a connection lies: held by bind() for everyone, or in the half that connect() takes first or second. */
export type PortPlace = 'blocked' | 'first half' | 'second half';

/** Growing list of (row, port, kind). */
class ConnectionList {
  #rows = new Uint32Array(64);
  #ports = new Uint16Array(64);
  #kinds = new Uint8Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(row: number, port: number, kind: number): void {
    if (this.#size === this.#rows.length) this.#grow();
    this.#rows[this.#size] = row;
    this.#ports[this.#size] = port;
    this.#kinds[this.#size] = kind;
    this.#size++;
  }

  row(index: number): number {
    return this.#rows[index] as number;
  }

  port(index: number): number {
    return this.#ports[index] as number;
  }

  kind(index: number): number {
    return this.#kinds[index] as number;
  }

  clear(): void {
    this.#size = 0;
  }

  #grow(): void {
    const length = this.#size * 2;
    this.#rows = copyInto(new Uint32Array(length), this.#rows);
    this.#ports = copyInto(new Uint16Array(length), this.#ports);
    this.#kinds = copyInto(new Uint8Array(length), this.#kinds);
  }
}

interface Columns {
  /** Held ports, one column a kind. */
  readonly held: readonly [Uint16Array, Uint16Array, Uint16Array, Uint16Array];
  /** Held ports that are not blocked: those taken, and those connect() may take over. */
  readonly free: readonly [Uint16Array, Uint16Array];
  readonly firstHalf: Uint16Array;
  readonly watched: Uint16Array;
}

const ESTABLISHED = 0;
const TIME_WAIT = 1;
const OTHER = 2;
/** TIME_WAIT that connect() may take over. */
const RECLAIMABLE = 3;

function kindOfState(state: number): number {
  if (state === TcpState.ESTABLISHED) return ESTABLISHED;
  return state === TcpState.TIME_WAIT ? TIME_WAIT : OTHER;
}

function newColumns(length: number): Columns {
  const column = () => new Uint16Array(length);
  return {
    held: [column(), column(), column(), column()],
    free: [column(), column()],
    firstHalf: column(),
    watched: column(),
  };
}

function grown(columns: Columns, length: number): Columns {
  const result = newColumns(length);
  const from = allColumns(columns);
  for (const [index, column] of allColumns(result).entries()) copyInto(column, from[index] as Uint16Array);
  return result;
}

function allColumns({ held, free, firstHalf, watched }: Columns): Uint16Array[] {
  return [...held, ...free, firstHalf, watched];
}

function copyInto<T extends Uint8Array | Uint16Array | Uint32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}

function increment(column: Uint16Array, row: number): void {
  column[row] = (column[row] as number) + 1;
}
