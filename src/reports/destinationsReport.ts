import type { Destination } from '../aggregate/destinations.ts';
import { endpoint } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import type { NamedHolders } from '../sampler/namedHolders.ts';
import type { NamespaceSnapshot } from '../sampler/snapshot.ts';
import type { Report } from './report.ts';
import { emphasisOfRatio } from './style.ts';
import { type Column, renderTable } from './table.ts';

/** A destination and who holds its ports. */
export interface OwnedDestination {
  readonly destination: Destination;
  readonly holders: NamedHolders;
}

/** The fullest destinations of TCP connect(). */
export function destinationsReport(
  { netns, tcp }: NamespaceSnapshot,
  rows: readonly OwnedDestination[],
): Report {
  const total = tcp?.destinations.total ?? 0;
  return {
    data: {
      netns,
      total,
      destinations: rows.map(({ destination, holders }) => ({ ...destination, owners: holders.owners })),
    },
    exitCode: 0,
    text(terminal) {
      if (total === 0) return 'No destination holds an ephemeral port.';
      const omitted = Math.max(0, total - rows.length);
      const parts = [
        ...(rows.length === 0 ? [] : [renderTable(COLUMNS, rows, terminal)]),
        ...(omitted === 0 ? [] : [`${counted(omitted, 'more destination')}; --limit shows more.`]),
      ];
      return parts.join('\n');
    },
  };
}

/** As many as a cell can tell without hiding the rest of the table. */
const OWNERS_SHOWN = 3;

const COLUMNS: readonly Column<OwnedDestination>[] = [
  { title: 'FROM', text: ({ destination }) => destination.localAddress, isDetail: true },
  { title: 'TO', text: ({ destination }) => endpoint(destination.remoteAddress, destination.remotePort) },
  { title: 'ESTAB', isNumber: true, text: ({ destination }) => String(destination.used.established) },
  { title: 'TIME-WAIT', isNumber: true, text: ({ destination }) => String(destination.used.timeWait) },
  { title: 'OTHER', isNumber: true, text: ({ destination }) => String(destination.used.other) },
  { title: 'REUSABLE', isNumber: true, text: ({ destination }) => String(destination.reclaimable) },
  {
    title: 'LEFT',
    isNumber: true,
    text: ({ destination }) => String(destination.available),
    emphasis: ({ destination }) => emphasisOfRatio(destination.ratio),
  },
  {
    title: 'USED',
    isNumber: true,
    text: ({ destination }) => percent(destination.ratio),
    emphasis: ({ destination }) => emphasisOfRatio(destination.ratio),
  },
  { title: 'OWNERS', text: ({ holders }) => ownersText(holders), isDetail: true },
];

function ownersText({ owners }: NamedHolders): string {
  const named = owners.filter(({ owner }) => owner !== undefined);
  const rest = named.length - OWNERS_SHOWN;
  const shown = named.slice(0, OWNERS_SHOWN).map(({ owner, ports }) => `${owner} ${ports}`);
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}
