import { socketsHeldBy } from '../owners/heldSockets.ts';
import {
  DESTINATION_STATES,
  type DestinationState,
  type OwnedDestination,
  portsInState,
} from '../reports/destinationsReport.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { Filter } from './filter.ts';
import { anyName, parseAddresses, parsePlace, parsePortOrService } from './filterValues.ts';
import { oneOf } from './values.ts';

/** By what destinations can be filtered. */
export const DESTINATION_KEYS = {
  state: (text: string): DestinationState => oneOf(DESTINATION_STATES)(text),
  dport: parsePortOrService,
  dst: parsePlace,
  src: parseAddresses,
  owner: anyName,
  process: anyName,
};

export type DestinationFilter = Filter<typeof DESTINATION_KEYS>;

/** Milliseconds to look for the sockets of a process. Whoever asks waits for an answer rather than for a part of it. */
const PROCESS_BUDGET_MS = 10_000;

/** Whether it takes who holds the ports. */
export function needsHolders({ state, owner, process }: DestinationFilter): boolean {
  return owner !== undefined || process !== undefined || state === 'close-wait';
}

/** What matches as far as the destination itself tells. */
export function matchesItself({ state, dport, dst, src }: DestinationFilter, row: OwnedDestination): boolean {
  const { remoteAddress, remotePort, localAddress } = row.destination;
  return (
    (dport === undefined || dport === remotePort) &&
    (dst === undefined || (dst.matches(remoteAddress) && (dst.port ?? remotePort) === remotePort)) &&
    (src === undefined || src.matches(localAddress)) &&
    (state === undefined || state === 'close-wait' || portsInState(row, state) > 0)
  );
}

/** A destination with its owners, and the sockets that hold its ports. */
export interface HeldRow<Row extends OwnedDestination = OwnedDestination> {
  readonly row: Row;
  readonly inodes: NamedHolders['inodes'];
}

/** Those that match by who holds their ports. Throws an ExporterError where it cannot be told whose a socket is. */
export function matchingHolders<Row extends OwnedDestination>(
  { state, owner, process }: DestinationFilter,
  held: readonly HeldRow<Row>[],
  procfs: string,
): Row[] {
  const byRow = held.filter(
    ({ row }) =>
      (state === undefined || portsInState(row, state) > 0) &&
      (owner === undefined || row.owners.some((one) => one.owner === owner)),
  );
  if (process === undefined) return byRow.map(({ row }) => row);
  const inodesOf = ({ inodes }: HeldRow) => [...inodes.values()].flat();
  const sockets = socketsHeldBy(process, new Set(byRow.flatMap(inodesOf)), {
    procfs,
    budgetMs: PROCESS_BUDGET_MS,
  });
  return byRow.filter((one) => inodesOf(one).some((inode) => sockets.has(inode))).map(({ row }) => row);
}
