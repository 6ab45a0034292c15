import type { Destination } from '../aggregate/destinations.ts';
import { leastAvailable } from '../aggregate/exhaustion.ts';
import { endpoint, onDevice } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { Report } from './report.ts';
import { sortKeys, sortRows } from './sortRows.ts';
import { emphasisOfRatio } from './style.ts';
import { type Column, renderTable } from './table.ts';
import { wrapped } from './wrap.ts';

/** A destination and who holds its ports. */
export interface OwnedDestination {
  /** Its network namespace, where several were asked. */
  readonly netns?: string;
  readonly destination: Destination;
  /** Connects that succeed if all that is only inferred is not so. */
  readonly availableAtMost: number;
  /** Most ports first. */
  readonly owners: NamedHolders['owners'];
}

/** States of connections that a filter can ask for. `other` is the column: neither ESTABLISHED nor TIME_WAIT. */
export const DESTINATION_STATES = ['established', 'time-wait', 'close-wait', 'other'] as const;
export type DestinationState = (typeof DESTINATION_STATES)[number];

/** Ports of a destination that connections in this state hold. */
export function portsInState(
  { destination: { used }, owners }: Pick<OwnedDestination, 'destination' | 'owners'>,
  state: DestinationState,
): number {
  if (state === 'close-wait') return owners.reduce((sum, { closeWait }) => sum + closeWait, 0);
  return { established: used.established, 'time-wait': used.timeWait, other: used.other }[state];
}

/** What was asked of them, beside how many. */
export interface WantedDestinations {
  /** Not all were wanted: `total` is of those that were. */
  readonly isFiltered?: boolean;
  readonly state?: DestinationState | undefined;
}

/** Destinations of TCP connect() in the order to show them, of `total` there are. */
export function destinationsReport(
  netns: string,
  total: number,
  rows: readonly OwnedDestination[],
  { isFiltered = false, state }: WantedDestinations = {},
): Report {
  return {
    data: {
      netns,
      total,
      destinations: rows.map(({ destination, ...row }) => ({
        ...(row.netns === undefined ? {} : { netns: row.netns }),
        ...destination,
        ...(row.availableAtMost > leastAvailable(destination)
          ? { availableAtMost: row.availableAtMost }
          : {}),
        owners: row.owners,
      })),
    },
    exitCode: isFiltered && total === 0 ? 1 : 0,
    text(terminal) {
      if (total === 0)
        return isFiltered ? 'No destination matches the filter.' : 'No destination holds an ephemeral port.';
      const omitted = Math.max(0, total - rows.length);
      const columns = [
        ...(rows.some((row) => row.netns !== undefined) ? [NETNS_COLUMN] : []),
        ...(state === 'close-wait' ? COLUMNS.toSpliced(-1, 0, CLOSE_WAIT_COLUMN) : COLUMNS),
      ];
      const isUncertain = rows.some((row) => row.availableAtMost > leastAvailable(row.destination));
      const parts = [
        ...(rows.length === 0 ? [] : [renderTable(columns, rows, terminal)]),
        ...(isUncertain ? wrapped(AT_LEAST, terminal.columns ?? Number.POSITIVE_INFINITY) : []),
        ...(omitted === 0 ? [] : [`${counted(omitted, 'more destination')}; --limit shows more.`]),
      ];
      return parts.join('\n');
    },
  };
}

const AT_LEAST = '+ minimum: see port-exporter explain for the range and why a single sample cannot tell.';

/** Owners that a cell can name without hiding the rest of the table. */
const OWNERS_SHOWN = 3;

const NETNS_COLUMN: Column<OwnedDestination> = { title: 'NETNS', text: ({ netns = '' }) => netns };

const CLOSE_WAIT_COLUMN: Column<OwnedDestination> = {
  title: 'CLOSE-WAIT',
  isNumber: true,
  text: (row) => String(portsInState(row, 'close-wait')),
};

function count(title: string, of: (destination: Destination) => number): Column<OwnedDestination> {
  return {
    title,
    isNumber: true,
    text: ({ destination }) => String(of(destination)),
    order: ({ destination }) => of(destination),
  };
}

const COLUMNS: readonly Column<OwnedDestination>[] = [
  {
    title: 'FROM',
    text: ({ destination: { localAddress, device } }) => onDevice(localAddress, device),
    order: ({ destination }) => destination.localAddress,
    isDetail: true,
  },
  { title: 'TO', text: ({ destination }) => to(destination), order: ({ destination }) => to(destination) },
  count('ESTAB', ({ used }) => used.established),
  count('TIME-WAIT', ({ used }) => used.timeWait),
  count('OTHER', ({ used }) => used.other),
  count('REUSABLE', ({ reclaimable }) => reclaimable),
  {
    title: 'LEFT',
    isNumber: true,
    text: ({ destination, availableAtMost }) =>
      `${leastAvailable(destination)}${availableAtMost > leastAvailable(destination) ? '+' : ''}`,
    emphasis: ({ destination }) => emphasisOfRatio(destination.ratio),
    order: ({ destination }) => leastAvailable(destination),
  },
  {
    title: 'USED',
    isNumber: true,
    text: ({ destination }) => percent(destination.ratio),
    emphasis: ({ destination }) => emphasisOfRatio(destination.ratio),
    order: ({ destination }) => destination.ratio,
  },
  { title: 'OWNERS', text: ({ owners }) => ownersText(owners), isDetail: true },
];

/** By what they can be sorted. */
export const DESTINATION_SORT_KEYS: readonly string[] = sortKeys(COLUMNS);

/** In the order of one of DESTINATION_SORT_KEYS, or where there is none, of what they hold in `state`, or are used. */
export function sortDestinations<Row extends OwnedDestination>(
  rows: readonly Row[],
  sort: string | undefined,
  state: DestinationState | undefined,
): Row[] {
  const fullestFirst = rows.toSorted((a, b) => b.destination.ratio - a.destination.ratio);
  if (sort !== undefined) return sortRows(COLUMNS, sort, fullestFirst);
  if (state === undefined) return fullestFirst;
  return fullestFirst.toSorted((a, b) => portsInState(b, state) - portsInState(a, state));
}

function to({ remoteAddress, remotePort }: Destination): string {
  return endpoint(remoteAddress, remotePort);
}

function ownersText(owners: NamedHolders['owners']): string {
  const named = owners.filter(({ owner }) => owner !== undefined);
  const rest = named.length - OWNERS_SHOWN;
  const shown = named.slice(0, OWNERS_SHOWN).map(({ owner, ports }) => `${owner} ${ports}`);
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}
