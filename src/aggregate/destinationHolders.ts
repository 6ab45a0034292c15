import { type Family, type SocketRecord, TcpState, TIME_WAIT_MS } from '../sockets/record.ts';
import { cgroupIdOf, newDestinationTable, writeDestination, writeDestinationOf } from './destinationKey.ts';
import type { Destination } from './destinations.ts';

/** What holds the ports of one destination. */
export interface DestinationHolders {
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

/** Finds out, from the connections that were walked, what holds the ports of destinations. */
export class HeldPortsByDestination {
  readonly #tables = { 4: newDestinationTable(4), 6: newDestinationTable(6) } as const;
  readonly #rows: { 4: MutableHolders[]; 6: MutableHolders[] } = { 4: [], 6: [] };

  constructor(destinations: readonly Destination[]) {
    for (const destination of destinations) {
      const family: Family = destination.remoteAddress.includes(':') ? 6 : 4;
      writeDestination(this.#tables[family].key, family, destination);
      this.#tables[family].upsert();
      this.#rows[family].push(nobody());
    }
  }

  /** An outbound connection from a usable port. */
  add(record: SocketRecord): void {
    const table = this.#tables[record.family];
    writeDestinationOf(table.key, record);
    const holders = this.#rows[record.family][table.find()];
    if (holders === undefined) return;
    const cgroupId = cgroupIdOf(record);
    const held = holders.byCgroup.get(cgroupId) ?? { established: 0, timeWait: 0, closeWait: 0, other: 0 };
    holders.byCgroup.set(cgroupId, held);
    held[kindOf(record.state)]++;
    if (record.timeWaitAgeMs >= 0) holders.timeWaitLeftMs.push(TIME_WAIT_MS - record.timeWaitAgeMs);
    if (record.inode === 0) return;
    const inodes = holders.inodes.get(cgroupId);
    if (inodes === undefined) holders.inodes.set(cgroupId, [record.inode]);
    else inodes.push(record.inode);
  }

  /** Of one of the destinations given at the start. */
  holdersOf(destination: Destination): DestinationHolders {
    const family: Family = destination.remoteAddress.includes(':') ? 6 : 4;
    writeDestination(this.#tables[family].key, family, destination);
    return this.#rows[family][this.#tables[family].find()] ?? nobody();
  }
}

interface MutableHolders extends DestinationHolders {
  readonly byCgroup: Map<number, HeldPorts>;
  readonly timeWaitLeftMs: number[];
  readonly inodes: Map<number, number[]>;
}

function nobody(): MutableHolders {
  return { byCgroup: new Map(), timeWaitLeftMs: [], inodes: new Map() };
}

function kindOf(state: number): keyof HeldPorts {
  if (state === TcpState.ESTABLISHED) return 'established';
  if (state === TcpState.CLOSE_WAIT) return 'closeWait';
  return state === TcpState.TIME_WAIT ? 'timeWait' : 'other';
}
