import type { Family, SocketRecord } from '../sockets/record.ts';
import { cgroupIdOf, type DestinationKey, newDestinationTable, writeDestination } from './destinationKey.ts';
import { type Owner, UNATTRIBUTED } from './owners.ts';

/** Who a cgroup is, by its id. */
export type NameOfCgroup = (cgroupId: number) => string | undefined;

/**
 * Who holds the ports of a few destinations, counted while they are read: those that the sample before found fullest,
 * because which are the fullest now is known only at the end.
 */
export class WatchedDestinations {
  readonly #tables = { 4: newDestinationTable(4), 6: newDestinationTable(6) } as const;
  /** Of both families. */
  readonly #holders: Holders[] = [];
  readonly #places: Record<Family, number[]> = { 4: [], 6: [] };

  constructor(destinations: readonly DestinationKey[]) {
    for (const destination of destinations) {
      const family: Family = destination.remoteAddress.includes(':') ? 6 : 4;
      const table = this.#tables[family];
      writeDestination(table.key, family, destination);
      if (table.upsert() < this.#places[family].length) continue;
      this.#holders.push({ byCgroup: new Map(), low: 0, high: 0, held: undefined });
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

  /** Counts one more port of the one at `place`. */
  add(place: number, record: SocketRecord): void {
    const holders = this.#holders[place - 1] as Holders;
    const { low, high, held } = holders;
    // Most sockets of a destination are of the same cgroup as the one before.
    if (held !== undefined && low === record.cgroupLow && high === record.cgroupHigh) held.ports++;
    else countAnother(holders, record);
  }

  /** Of the one at `place`, most ports first. */
  owners(place: number, nameOf: NameOfCgroup): Owner[] {
    const byOwner = new Map<string, number>();
    for (const [id, { ports }] of this.#holders[place - 1]?.byCgroup ?? []) {
      const owner = (id === 0 ? undefined : nameOf(id)) ?? UNATTRIBUTED;
      byOwner.set(owner, (byOwner.get(owner) ?? 0) + ports);
    }
    return [...byOwner].map(([owner, ports]) => ({ owner, ports })).toSorted((a, b) => b.ports - a.ports);
  }
}

interface Holders {
  readonly byCgroup: Map<number, { ports: number }>;
  /** The cgroup of the last socket, and its count. */
  low: number;
  high: number;
  held: { ports: number } | undefined;
}

function countAnother(holders: Holders, record: SocketRecord): void {
  const id = cgroupIdOf(record);
  const held = holders.byCgroup.get(id) ?? { ports: 0 };
  held.ports++;
  holders.byCgroup.set(id, held);
  holders.low = record.cgroupLow;
  holders.high = record.cgroupHigh;
  holders.held = held;
}
