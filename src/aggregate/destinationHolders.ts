import { cgroupIdOf, type Family, type SocketRecord, TcpState, TIME_WAIT_MS } from '../sockets/record.ts';
import {
  type DestinationKey,
  newDestinationTable,
  writeDestination,
  writeDestinationOf,
} from './destinationKey.ts';

/** What holds the ports of one destination. */
export interface Holders {
  /** Ports by the cgroup of their socket; 0 for sockets without one. */
  readonly byCgroup: ReadonlyMap<number, HeldPorts>;
  /** Milliseconds until each TIME_WAIT socket gives its port back, in no order; those of unknown age left out. */
  readonly timeWaitLeftMs: readonly number[];
  /** Inodes of the sockets that a process may hold, by their cgroup. */
  readonly inodes: ReadonlyMap<number, readonly number[]>;
}

export interface HeldPorts {
  established: number;
  timeWait: number;
  /** The other side has closed, and the application has not. */
  closeWait: number;
  other: number;
}

/**
 * Who holds the ports of a few destinations. Counted either while connections are read, for destinations that the sample
 * before found fullest (which are the fullest now is known only at the end), or from the connections that a walk kept.
 */
export class DestinationHolders {
  readonly #tables = { 4: newDestinationTable(4), 6: newDestinationTable(6) } as const;
  readonly #holders: MutableHolders[] = [];
  /** Row of the family's table → place. */
  readonly #places: Record<Family, number[]> = { 4: [], 6: [] };
  readonly #keepsSockets: boolean;

  /** @param keepsSockets also each socket's inode, and when its TIME_WAIT ends */
  constructor(destinations: readonly DestinationKey[], { keepsSockets = false } = {}) {
    this.#keepsSockets = keepsSockets;
    for (const destination of destinations) {
      const family = familyOf(destination);
      const table = this.#tables[family];
      writeDestination(table.key, family, destination);
      if (table.upsert() < this.#places[family].length) continue;
      this.#holders.push(nobody());
      this.#places[family].push(this.#holders.length);
    }
  }

  /** Which of them has this key, counted from 1; 0 where none has. */
  placeOf(family: Family, key: Int32Array): number {
    const table = this.#tables[family];
    if (table.size === 0) return 0;
    table.key.set(key);
    return this.#places[family][table.find()] ?? 0;
  }

  /** Counts an outbound connection from a usable port to the one at `place`. */
  addTo(place: number, record: SocketRecord): void {
    const holders = this.#holders[place - 1] as MutableHolders;
    const { low, high } = holders;
    // Most sockets of a destination are of the same cgroup as the one before.
    if (holders.last === undefined || low !== record.cgroupLow || high !== record.cgroupHigh)
      turnTo(holders, record);
    (holders.last as HeldPorts)[kindOf(record.state)]++;
    if (this.#keepsSockets) keepSocket(holders, record);
  }

  /** Counts an outbound connection from a usable port, if it goes to one of them. */
  add(record: SocketRecord): void {
    const table = this.#tables[record.family];
    writeDestinationOf(table.key, record);
    const place = this.#places[record.family][table.find()];
    if (place !== undefined) this.addTo(place, record);
  }

  /** Of the one at `place`. */
  at(place: number): Holders {
    const { byCgroup, timeWaitLeftMs, inodes } = this.#holders[place - 1] ?? nobody();
    return { byCgroup, timeWaitLeftMs, inodes };
  }

  /** Of one of the destinations given at the start. */
  of(destination: DestinationKey): Holders {
    const family = familyOf(destination);
    const table = this.#tables[family];
    writeDestination(table.key, family, destination);
    return this.at(this.#places[family][table.find()] ?? 0);
  }
}

interface MutableHolders extends Holders {
  readonly byCgroup: Map<number, HeldPorts>;
  readonly timeWaitLeftMs: number[];
  readonly inodes: Map<number, number[]>;
  /** The cgroup of the last socket, and its count. */
  low: number;
  high: number;
  last: HeldPorts | undefined;
}

function nobody(): MutableHolders {
  return { byCgroup: new Map(), timeWaitLeftMs: [], inodes: new Map(), low: 0, high: 0, last: undefined };
}

function turnTo(holders: MutableHolders, record: SocketRecord): void {
  const id = cgroupIdOf(record);
  const held = holders.byCgroup.get(id) ?? { established: 0, timeWait: 0, closeWait: 0, other: 0 };
  holders.byCgroup.set(id, held);
  holders.low = record.cgroupLow;
  holders.high = record.cgroupHigh;
  holders.last = held;
}

function keepSocket({ timeWaitLeftMs, inodes }: MutableHolders, record: SocketRecord): void {
  if (record.timeWaitAgeMs >= 0) timeWaitLeftMs.push(TIME_WAIT_MS - record.timeWaitAgeMs);
  if (record.inode === 0) return;
  const id = cgroupIdOf(record);
  const known = inodes.get(id);
  if (known === undefined) inodes.set(id, [record.inode]);
  else known.push(record.inode);
}

function familyOf({ remoteAddress }: DestinationKey): Family {
  return remoteAddress.includes(':') ? 6 : 4;
}

function kindOf(state: number): keyof HeldPorts {
  if (state === TcpState.ESTABLISHED) return 'established';
  if (state === TcpState.CLOSE_WAIT) return 'closeWait';
  return state === TcpState.TIME_WAIT ? 'timeWait' : 'other';
}
