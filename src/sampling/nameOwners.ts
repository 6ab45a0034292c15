import type { HeldPorts } from '../aggregate/destinationHolders.ts';
import { type PortSet, sizeOfUnion } from '../aggregate/portSet.ts';
import { type DestinationOwner, type OwnersSnapshot, UNATTRIBUTED } from '../snapshot/owners.ts';

/** The owner of a cgroup by its id; undefined where it is gone, or out of sight. */
export type OwnerOf = (cgroupId: number) => string | undefined;

/** Owners of one protocol's usable ports, those with most first. Several cgroups of one owner are united. */
export function nameOwners(
  byCgroup: ReadonlyMap<number, PortSet>,
  limit: number,
  ownerOf: OwnerOf,
): OwnersSnapshot {
  const owners = [...groupedByOwner(byCgroup, ownerOf)].map(([owner, sets]) => ({
    owner,
    ports: sizeOfUnion(sets),
  }));
  owners.sort((a, b) => b.ports - a.ports || (a.owner < b.owner ? -1 : 1));
  return { total: owners.length, fullest: owners.slice(0, limit) };
}

/** Owners of one destination's ports, those with most first. Without `ownerOf` nobody can be told from anybody. */
export function nameHolders(
  byCgroup: ReadonlyMap<number, HeldPorts>,
  ownerOf: OwnerOf | undefined,
): DestinationOwner[] {
  const grouped: ReadonlyMap<string | undefined, readonly HeldPorts[]> =
    ownerOf === undefined
      ? new Map([[undefined, [...byCgroup.values()]]])
      : groupedByOwner(byCgroup, ownerOf);
  return [...grouped]
    .filter(([, parts]) => parts.length > 0)
    .map(([owner, parts]) => {
      const held = parts.reduce(sum, { established: 0, timeWait: 0, closeWait: 0, other: 0 });
      return { owner, ...held, ports: held.established + held.timeWait + held.closeWait + held.other };
    })
    .toSorted((a, b) => b.ports - a.ports);
}

/** The one place where cgroups become owners: what several of them have is listed under their owner. */
function groupedByOwner<T>(byCgroup: ReadonlyMap<number, T>, ownerOf: OwnerOf): Map<string, T[]> {
  const grouped = new Map<string, T[]>();
  for (const [id, part] of byCgroup) {
    const owner = (id === 0 ? undefined : ownerOf(id)) ?? UNATTRIBUTED;
    const parts = grouped.get(owner);
    if (parts === undefined) grouped.set(owner, [part]);
    else parts.push(part);
  }
  return grouped;
}

function sum(one: HeldPorts, other: HeldPorts): HeldPorts {
  return {
    established: one.established + other.established,
    timeWait: one.timeWait + other.timeWait,
    closeWait: one.closeWait + other.closeWait,
    other: one.other + other.other,
  };
}
