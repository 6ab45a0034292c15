import type { SocketRecord } from '../sockets/record.ts';
import { KeyTable } from './keyTable.ts';
import { type PortSet, sizeOfUnion } from './portSet.ts';

/** Who holds usable ports, as exported. */
export interface Owner {
  /** A systemd unit, a container, a pod or a cgroup path; `unattributed` for sockets without a cgroup. */
  readonly owner: string;
  /** Distinct usable ports its sockets hold. */
  readonly ports: number;
}

export interface OwnersSnapshot {
  readonly total: number;
  readonly fullest: readonly Owner[];
}

/** TIME_WAIT sockets and others without a cgroup, and cgroups that are gone. */
export const UNATTRIBUTED = 'unattributed';

/** Which usable ports the sockets of each cgroup hold, for one protocol. */
export class OwnerPorts {
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

  /** @param nameOf the owner's name for a cgroup id; several cgroups of one owner are united */
  snapshot(limit: number, nameOf: (cgroupId: number) => string | undefined): OwnersSnapshot {
    const byOwner = new Map<string, PortSet[]>();
    for (const [row, ports] of this.#ports.entries()) {
      const id = (this.#cgroups.word(row, 1) >>> 0) * 2 ** 32 + (this.#cgroups.word(row, 0) >>> 0);
      const name = (id === 0 ? undefined : nameOf(id)) ?? UNATTRIBUTED;
      const sets = byOwner.get(name);
      if (sets === undefined) byOwner.set(name, [ports]);
      else sets.push(ports);
    }
    const owners = [...byOwner].map(([owner, sets]) => ({ owner, ports: sizeOfUnion(sets) }));
    owners.sort((a, b) => b.ports - a.ports || (a.owner < b.owner ? -1 : 1));
    return { total: owners.length, fullest: owners.slice(0, limit) };
  }

  #portsOfKey(): PortSet {
    const row = this.#cgroups.upsert();
    if (row === this.#ports.length) this.#ports.push(this.#usable.emptyCopy());
    return this.#ports[row] as PortSet;
  }
}
