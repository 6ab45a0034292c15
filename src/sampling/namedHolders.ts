import type { HeldPorts } from '../aggregate/destinationHolders.ts';
import { UNATTRIBUTED } from '../aggregate/owners.ts';

/** Who holds the ports of one destination, and when TIME_WAIT gives some back. */
export interface NamedHolders {
  /** Most ports first. */
  readonly owners: readonly NamedHolder[];
  readonly timeWaitLeftMs: readonly number[];
  /** Inodes of its sockets that a process may hold, by their cgroup. */
  readonly inodes: ReadonlyMap<number, readonly number[]>;
}

export interface NamedHolder extends Readonly<HeldPorts> {
  /** undefined where the source does not tell whose a socket is. */
  readonly owner: string | undefined;
  /** All of them. */
  readonly ports: number;
}

/** Adds up the cgroups of each owner. Without `ownerOf` nobody can be told from anybody. */
export function nameHolders(
  byCgroup: ReadonlyMap<number, HeldPorts>,
  ownerOf: ((cgroupId: number) => string | undefined) | undefined,
): NamedHolder[] {
  const byOwner = new Map<string | undefined, HeldPorts>();
  for (const [id, held] of byCgroup) {
    const owner = ownerOf && ((id === 0 ? undefined : ownerOf(id)) ?? UNATTRIBUTED);
    const sum = byOwner.get(owner) ?? { established: 0, timeWait: 0, closeWait: 0, other: 0 };
    for (const kind of ['established', 'timeWait', 'closeWait', 'other'] as const) sum[kind] += held[kind];
    byOwner.set(owner, sum);
  }
  return [...byOwner]
    .map(([owner, held]) => ({
      owner,
      ...held,
      ports: held.established + held.timeWait + held.closeWait + held.other,
    }))
    .toSorted((a, b) => b.ports - a.ports);
}
