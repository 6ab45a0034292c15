import type { Destination } from '../aggregate/destinations.ts';
import { leastAvailable } from '../aggregate/exhaustion.ts';
import { endpoint, onDevice } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { Report } from './report.ts';
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

/** The fullest destinations of TCP connect(), of `total` there are. */
export function destinationsReport(netns: string, total: number, rows: readonly OwnedDestination[]): Report {
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
    exitCode: 0,
    text(terminal) {
      if (total === 0) return 'No destination holds an ephemeral port.';
      const omitted = Math.max(0, total - rows.length);
      const columns = rows.some((row) => row.netns !== undefined) ? [NETNS_COLUMN, ...COLUMNS] : COLUMNS;
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

const COLUMNS: readonly Column<OwnedDestination>[] = [
  {
    title: 'FROM',
    text: ({ destination: { localAddress, device } }) => onDevice(localAddress, device),
    isDetail: true,
  },
  { title: 'TO', text: ({ destination }) => endpoint(destination.remoteAddress, destination.remotePort) },
  { title: 'ESTAB', isNumber: true, text: ({ destination }) => String(destination.used.established) },
  { title: 'TIME-WAIT', isNumber: true, text: ({ destination }) => String(destination.used.timeWait) },
  { title: 'OTHER', isNumber: true, text: ({ destination }) => String(destination.used.other) },
  { title: 'REUSABLE', isNumber: true, text: ({ destination }) => String(destination.reclaimable) },
  {
    title: 'LEFT',
    isNumber: true,
    text: ({ destination, availableAtMost }) =>
      `${leastAvailable(destination)}${availableAtMost > leastAvailable(destination) ? '+' : ''}`,
    emphasis: ({ destination }) => emphasisOfRatio(destination.ratio),
  },
  {
    title: 'USED',
    isNumber: true,
    text: ({ destination }) => percent(destination.ratio),
    emphasis: ({ destination }) => emphasisOfRatio(destination.ratio),
  },
  { title: 'OWNERS', text: ({ owners }) => ownersText(owners), isDetail: true },
];

function ownersText(owners: NamedHolders['owners']): string {
  const named = owners.filter(({ owner }) => owner !== undefined);
  const rest = named.length - OWNERS_SHOWN;
  const shown = named.slice(0, OWNERS_SHOWN).map(({ owner, ports }) => `${owner} ${ports}`);
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}
