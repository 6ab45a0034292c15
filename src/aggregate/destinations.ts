import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState } from '../sockets/record.ts';
import type { DestinationHolders, HeldPorts } from './destinationHolders.ts';
import type { DeviceName } from './destinationKey.ts';
import { type Regime, regime } from './exhaustion.ts';
import { fullest } from './fullest.ts';
import { type Inference, inferBlocked, type Judges } from './inference.ts';
import type { InferenceState } from './inferenceState.ts';
import { addMet, meetsOthers } from './metDestinations.ts';
import type { PortSet } from './portSet.ts';
import type { EphemeralRange } from './range.ts';
import { isReclaimable } from './timeWait.ts';
import { type DecidedPlace, TupleTable } from './tupleTable.ts';

/** One destination of outbound TCP connections, as exported. */
export interface Destination extends Regime {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Index and name of the device that its sockets are bound to; 0 and '' for none. */
  readonly deviceIndex: number;
  readonly device: string;
  /** Usable ports it holds, blocked ones too. */
  readonly used: { readonly established: number; readonly timeWait: number; readonly other: number };
  readonly reclaimable: number;
  /** Ports it holds by the cgroup of their socket; absent where that was not counted. */
  readonly heldBy?: ReadonlyMap<number, HeldPorts>;
}

export interface DestinationsSnapshot {
  /** Distinct destinations seen. */
  readonly total: number;
  readonly fullest: readonly Destination[];
}

/** What a destination has left that nobody uses yet. */
export interface Capacity {
  readonly available: number;
  readonly availableAtLeast: number;
}

export function leastOf(one: Capacity, other: Capacity): Capacity {
  return {
    available: Math.min(one.available, other.available),
    availableAtLeast: Math.min(one.availableAtLeast, other.availableAtLeast),
  };
}

/** Which destination holds which usable ports: the TCP connect() regime. */
export class Destinations {
  readonly #tables = [new TupleTable(4), new TupleTable(6)] as const;
  #watched: DestinationHolders | undefined;

  /**
   * Forgets the last sample and keeps its memory. `watched`: destinations of the next whose owners are counted.
   * `keepsPorts`: see `meetsOthers`.
   */
  clear(watched?: DestinationHolders, keepsPorts = false): void {
    this.#watched = watched;
    for (const table of this.#tables) table.clear(watched, keepsPorts);
  }

  /** Distinct destinations seen. */
  get size(): number {
    return this.#tables[0].size + this.#tables[1].size;
  }

  /**
   * Some connect() meets connections of another destination: one bound to a device those that are bound to none. Then the
   * answer takes a walk that keeps every port.
   */
  get meetsOthers(): boolean {
    return this.#tables.some(meetsOthers);
  }

  /**
   * Counts an outbound connection whose port is usable.
   *
   * @param known ports known to be blocked, so far
   * @param isUndecided whether its port is may turn out until the walk ends
   */
  add(
    record: SocketRecord,
    range: EphemeralRange,
    known: PortSet,
    sysctls: PortSysctls,
    isUndecided = false,
  ): void {
    const table = record.family === 4 ? this.#tables[0] : this.#tables[1];
    const reclaimable = record.state === TcpState.TIME_WAIT && isReclaimable(record, sysctls);
    table.add(record, isUndecided ? 'undecided' : placeOf(record.localPort, range, known), reclaimable);
  }

  /** After the walk: what was left open, and what destinations take from each other. */
  settle(range: EphemeralRange, known: PortSet): void {
    for (const table of this.#tables) {
      table.decide((port) => placeOf(port, range, known));
      addMet(table, (port) => placeOf(port, range, known));
    }
  }

  /** Ports blocked by connections, inferred; what they hold is counted as blocked from now on. */
  inferBlocked(
    range: EphemeralRange,
    known: PortSet,
    memory: InferenceState,
    judges?: Judges,
    next?: InferenceState,
  ): Inference {
    this.settle(range, known);
    return inferBlocked(this.#tables, range, known, memory, judges, next);
  }

  /** Fewest ports that any destination has left; of one that nobody uses yet it is the capacity. */
  worst({ available, availableAtLeast }: Capacity): Capacity {
    const worst = { available, availableAtLeast };
    for (const table of this.#tables) {
      for (let row = 0; row < table.size; row++) {
        const taken = table.taken(row);
        worst.available = Math.min(worst.available, available - taken);
        worst.availableAtLeast = Math.min(
          worst.availableAtLeast,
          availableAtLeast - taken + table.heldUncertain(row),
        );
      }
    }
    return worst;
  }

  snapshot(
    limit: number,
    { available, availableAtLeast }: Capacity,
    usable: number,
    deviceName: DeviceName,
  ): DestinationsSnapshot {
    const ipv4 = this.#tables[0].size;
    const total = this.size;
    const place = (index: number): [TupleTable, number] =>
      index < ipv4 ? [this.#tables[0], index] : [this.#tables[1], index - ipv4];
    const rows = fullest(limit, total, (index) => {
      const [table, row] = place(index);
      // Destinations with equally few ports left are told apart by how many they hold.
      return table.taken(row) * 65536 + table.heldTotal(row);
    });
    return {
      total,
      fullest: rows.map((index) => {
        const [table, row] = place(index);
        const key = table.describe(row);
        return {
          ...key,
          device: key.deviceIndex === 0 ? '' : deviceName(key.deviceIndex),
          used: table.held(row),
          reclaimable: table.reclaimable(row),
          ...regime(
            available - table.taken(row),
            usable,
            availableAtLeast - table.taken(row) + table.heldUncertain(row),
          ),
          ...this.#heldBy(table.watchedPlace(row)),
        };
      }),
    };
  }

  #heldBy(place: number): Pick<Destination, 'heldBy'> {
    return place === 0 || this.#watched === undefined ? {} : { heldBy: this.#watched.at(place).byCgroup };
  }
}

function placeOf(port: number, range: EphemeralRange, known: PortSet): DecidedPlace {
  if (known.has(port)) return 'blocked';
  return (port & 1) === range.preferredParity ? 'first half' : 'second half';
}
