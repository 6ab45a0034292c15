import { type Family, type SocketRecord, TcpState, TIME_WAIT_MS } from '../sockets/record.ts';
import { ADDRESS_WORDS, writeLocal, writeRemote } from './address.ts';
import { cgroupIdOf, newDestinationTable, writeDestination } from './destinationKey.ts';
import type { Destination } from './destinations.ts';
import type { PortSet } from './portSet.ts';

/** What holds the ports of one destination. */
export interface DestinationHolders {
  /** Ports by the cgroup of their socket; 0 for sockets without one. */
  readonly byCgroup: ReadonlyMap<number, HeldPorts>;
  /** Milliseconds until each TIME_WAIT socket gives its port back, in no order; those of unknown age left out. */
  readonly timeWaitLeftMs: readonly number[];
}

export interface HeldPorts {
  established: number;
  timeWait: number;
  /** The other side has closed, and the application has not. */
  closeWait: number;
  other: number;
}

/** Finds out, in a second walk of the connections, what holds the ports of destinations that the first one found. */
export class DestinationHoldersTally {
  readonly #usable: PortSet;
  readonly #tables = { 4: newDestinationTable(4), 6: newDestinationTable(6) } as const;
  readonly #rows: { 4: MutableHolders[]; 6: MutableHolders[] } = { 4: [], 6: [] };

  constructor(destinations: readonly Destination[], usable: PortSet) {
    this.#usable = usable;
    for (const destination of destinations) {
      const family: Family = destination.remoteAddress.includes(':') ? 6 : 4;
      writeDestination(this.#tables[family].key, family, destination);
      this.#tables[family].upsert();
      this.#rows[family].push({ byCgroup: new Map(), timeWaitLeftMs: [] });
    }
  }

  add(record: SocketRecord): void {
    if (!this.#usable.has(record.localPort)) return;
    const table = this.#tables[record.family];
    const words = ADDRESS_WORDS[record.family];
    writeLocal(table.key, 0, record);
    writeRemote(table.key, words, record);
    table.key[2 * words] = record.remotePort;
    const holders = this.#rows[record.family][table.find()];
    if (holders === undefined) return;
    const cgroupId = cgroupIdOf(record);
    const held = holders.byCgroup.get(cgroupId) ?? { established: 0, timeWait: 0, closeWait: 0, other: 0 };
    holders.byCgroup.set(cgroupId, held);
    held[kindOf(record.state)]++;
    if (record.timeWaitAgeMs >= 0) holders.timeWaitLeftMs.push(TIME_WAIT_MS - record.timeWaitAgeMs);
  }

  /** Of one of the destinations given at the start. */
  holdersOf(destination: Destination): DestinationHolders {
    const family: Family = destination.remoteAddress.includes(':') ? 6 : 4;
    writeDestination(this.#tables[family].key, family, destination);
    return this.#rows[family][this.#tables[family].find()] ?? { byCgroup: new Map(), timeWaitLeftMs: [] };
  }
}

interface MutableHolders extends DestinationHolders {
  readonly byCgroup: Map<number, HeldPorts>;
  readonly timeWaitLeftMs: number[];
}

function kindOf(state: number): keyof HeldPorts {
  if (state === TcpState.ESTABLISHED) return 'established';
  if (state === TcpState.CLOSE_WAIT) return 'closeWait';
  return state === TcpState.TIME_WAIT ? 'timeWait' : 'other';
}
