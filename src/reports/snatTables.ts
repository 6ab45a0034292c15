import type { SnatExplained, SnatHolder } from '../aggregate/snatHolders.ts';
import { endpoint } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import { paragraph } from './explainTables.ts';
import { LEFT_COLUMNS } from './leftColumns.ts';
import type { OtherSnat, SnatAnswered } from './snatAnswered.ts';
import { isNoticed, type SnatRemedy } from './snatRemedies.ts';
import type { Emphasis } from './style.ts';
import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

// The tables of ports behind a NAT: each a text, undefined where there is nothing in it.

/** Ports whose entries expire within so many seconds, unless packets come. */
export interface SnatExpiry {
  readonly earliestSeconds: number | undefined;
  readonly within: readonly { readonly seconds: number; readonly ports: number }[];
  readonly later: number;
}

const WITHIN_SECONDS = [10, 30, 60, 120];

export function expiryOf({ secondsLeft }: SnatExplained): SnatExpiry {
  const within = WITHIN_SECONDS.map((seconds) => ({
    seconds,
    ports: secondsLeft.filter((left) => left <= seconds).length,
  }));
  return {
    earliestSeconds: secondsLeft[0],
    within,
    later: secondsLeft.length - (within.at(-1)?.ports ?? 0),
  };
}

/** Share of new packets that are dropped, at which a person acts; the alerts' thresholds. */
export function emphasisOfRefusal(ratio: number): Emphasis {
  if (ratio > 0.01) return 'alarm';
  return isNoticed(ratio) ? 'warning' : 'plain';
}

export function portsTable({ first, last, used, available }: SnatExplained, terminal: Terminal): string {
  const taken = (value: number) => (value === 0 ? '0' : `-${value}`);
  const rows: readonly Row[] = [
    { name: `range, as assumed: ${first}-${last}`, value: String(last - first + 1) },
    { name: 'established', value: taken(used.established) },
    { name: 'TIME_WAIT', value: taken(used.timeWait) },
    { name: 'other states', value: taken(used.other) },
    { name: 'left', value: String(available) },
  ];
  return renderTable(PORTS_COLUMNS, rows, terminal);
}

const HOLDERS_SHOWN = 10;

export function snatHoldersTable(
  { explained, addresses, netns }: SnatAnswered,
  terminal: Terminal,
): string | undefined {
  const holders = explained?.holders ?? [];
  if (holders.length === 0) return undefined;
  const own = netns === 'host' ? 'this host' : 'this namespace';
  const name: Column<SnatHolder> = {
    title: 'HELD BY',
    text: ({ address, isInbound }) => {
      const notes = [...(addresses.has(address) ? [own] : []), ...(isInbound ? ['inbound'] : [])];
      return notes.length === 0 ? address : `${address} (${notes.join(', ')})`;
    },
  };
  const shown = holders.slice(0, HOLDERS_SHOWN);
  const rest = holders.slice(HOLDERS_SHOWN);
  const ports = rest.reduce((sum, holder) => sum + holder.ports, 0);
  return [
    renderTable([name, ...STATE_COLUMNS], shown, terminal),
    ...(rest.length === 0
      ? []
      : paragraph(`${rest.length} more with ${counted(ports, 'port')}; --json shows all.`, terminal)),
  ].join('\n');
}

export function expiryTable({ earliestSeconds, within, later }: SnatExpiry, terminal: Terminal) {
  if (earliestSeconds === undefined) return undefined;
  const rows: readonly Row[] = [
    ...within.map(({ seconds, ports }) => ({ name: `within ${seconds} s`, value: String(ports) })),
    { name: 'later', value: String(later) },
  ];
  const note = `The first in ${earliestSeconds} s. Each packet of a connection starts its time anew.`;
  return [renderTable(EXPIRY_COLUMNS, rows, terminal), ...paragraph(note, terminal)].join('\n');
}

export function snatRemediesTable(remedies: readonly SnatRemedy[], terminal: Terminal): string | undefined {
  return remedies.length === 0 ? undefined : renderTable(REMEDY_COLUMNS, remedies, terminal);
}

const OTHERS_SHOWN = 5;

export function othersTable(
  { others, otherCount, isAll }: SnatAnswered,
  terminal: Terminal,
): string | undefined {
  if (others.length === 0) return undefined;
  const shown = others.slice(0, OTHERS_SHOWN);
  const rest = otherCount - shown.length;
  const columns = isAll ? [NETNS_COLUMN, ...OTHER_COLUMNS] : OTHER_COLUMNS;
  return [renderTable(columns, shown, terminal), ...(rest > 0 ? [`${rest} more.`] : [])].join('\n');
}

interface Row {
  readonly name: string;
  readonly value: string;
}

const PORTS_COLUMNS: readonly Column<Row>[] = [
  { title: 'HOW MANY ARE LEFT', text: ({ name }) => name },
  { title: 'PORTS', isNumber: true, text: ({ value }) => value },
];

const EXPIRY_COLUMNS: readonly Column<Row>[] = [
  { title: 'EXPIRES', text: ({ name }) => name },
  { title: 'PORTS', isNumber: true, text: ({ value }) => value },
];

const STATE_COLUMNS: readonly Column<SnatHolder>[] = [
  { title: 'ESTAB', isNumber: true, text: ({ established }) => String(established), isDetail: true },
  { title: 'TIME-WAIT', isNumber: true, text: ({ timeWait }) => String(timeWait), isDetail: true },
  { title: 'OTHER', isNumber: true, text: ({ other }) => String(other), isDetail: true },
  { title: 'PORTS', isNumber: true, text: ({ ports }) => String(ports) },
];

const REMEDY_COLUMNS: readonly Column<SnatRemedy>[] = [
  {
    title: 'FREES',
    isNumber: true,
    text: ({ freesPorts }) => (freesPorts === undefined ? '' : String(freesPorts)),
  },
  { title: 'REMEDY FOR THIS DESTINATION, EACH ALONE', text: ({ action }) => action },
];

/** How many ports are left, and what becomes of new packets; `refusalRatio` undefined where none is dropped but refused. */
export interface Left {
  readonly available: number;
  readonly ratio: number;
  readonly refusalRatio: number | undefined;
}

export const DROPPED_COLUMN: Column<Left> = {
  title: 'DROPPED',
  isNumber: true,
  text: ({ refusalRatio }) => (refusalRatio === undefined ? '' : dropped(refusalRatio)),
  emphasis: ({ refusalRatio = 0 }) => emphasisOfRefusal(refusalRatio),
};

function dropped(refusalRatio: number): string {
  if (refusalRatio === 0) return '0.0 %';
  return isNoticed(refusalRatio) ? percent(refusalRatio) : '<0.1 %';
}

const NETNS_COLUMN: Column<OtherSnat> = { title: 'NETNS', text: ({ netns }) => netns, isDetail: true };

const OTHER_COLUMNS: readonly Column<OtherSnat>[] = [
  { title: 'NAT ADDRESS', text: ({ natAddress }) => natAddress, isDetail: true },
  {
    title: 'OTHERS TO',
    text: ({ remoteAddress, remotePort, protocol }) => `${endpoint(remoteAddress, remotePort)}/${protocol}`,
  },
  ...LEFT_COLUMNS,
  DROPPED_COLUMN,
];
