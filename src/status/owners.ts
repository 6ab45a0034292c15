import type { OwnersSnapshot } from '../snapshot/owners.ts';
import type { Results } from '../snapshot/results.ts';

/** How many distinct usable ports the sockets of one owner hold, by protocol. */
export interface OwnerShare {
  readonly owner: string;
  /** undefined: left out by the limit, or none. */
  readonly tcp: number | undefined;
  readonly udp: number | undefined;
}

/** Both protocols' owners in one table, those with most ports first; undefined where nothing is attributed. */
export function ownersOf(
  owners: Results['owners'],
): { readonly total: number; readonly fullest: readonly OwnerShare[] } | undefined {
  const { tcp, udp } = owners;
  if (tcp === undefined && udp === undefined) return undefined;
  const names = new Set([...namesOf(tcp), ...namesOf(udp)]);
  const fullest = [...names].map((owner) => ({ owner, tcp: portsOf(tcp, owner), udp: portsOf(udp, owner) }));
  fullest.sort((a, b) => most(b) - most(a));
  // Which of the two protocols' owners are the same is not told of those that were left out.
  const total = Math.max(fullest.length, tcp?.total ?? 0, udp?.total ?? 0);
  return { total, fullest };
}

function namesOf(snapshot: OwnersSnapshot | undefined): string[] {
  return (snapshot?.fullest ?? []).map(({ owner }) => owner);
}

function portsOf(snapshot: OwnersSnapshot | undefined, wanted: string): number | undefined {
  return snapshot?.fullest.find(({ owner }) => owner === wanted)?.ports;
}

function most({ tcp = 0, udp = 0 }: OwnerShare): number {
  return Math.max(tcp, udp);
}
