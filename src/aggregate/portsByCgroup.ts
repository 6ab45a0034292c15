import { cgroupIdOf, type SocketRecord } from '../sockets/record.ts';
import { KeyTable } from './keyTable.ts';
import type { PortSet } from './portSet.ts';

/** Which usable ports the sockets of each cgroup hold, for one protocol. */
export class PortsByCgroup {
  readonly #usable: PortSet;
  readonly #cgroups = new KeyTable(2);
  readonly #ports: PortSet[] = [];
  #last: PortSet;

  constructor(usable: PortSet) {
    this.#usable = usable;
    this.#last = usable;
  }

  /** Counts a socket if its port is usable. */
  add(record: SocketRecord): void {
    if (!this.#usable.has(record.localPort)) return;
    const { key } = this.#cgroups;
    // Most sockets are of the same cgroup as the one before, whose key still stands there.
    if (key[0] !== record.cgroupLow || key[1] !== record.cgroupHigh || this.#ports.length === 0) {
      key[0] = record.cgroupLow;
      key[1] = record.cgroupHigh;
      this.#last = this.#portsOfKey();
    }
    this.#last.add(record.localPort);
  }

  /** Distinct ports by the id of the cgroup; 0 for sockets without one. */
  byCgroup(): ReadonlyMap<number, PortSet> {
    return new Map(
      this.#ports.map((ports, row) => [
        cgroupIdOf({ cgroupLow: this.#cgroups.word(row, 0), cgroupHigh: this.#cgroups.word(row, 1) }),
        ports,
      ]),
    );
  }

  #portsOfKey(): PortSet {
    const row = this.#cgroups.upsert();
    if (row === this.#ports.length) this.#ports.push(this.#usable.emptyCopy());
    return this.#ports[row] as PortSet;
  }
}
