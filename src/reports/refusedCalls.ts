import { formatDuration } from '../base/duration.ts';
import { endpoint } from '../base/endpoint.ts';
import type { PortCall, RefusalEvent } from '../snapshot/refusals.ts';
import type { RefusalTally, RefusedMost } from '../status/refusalTally.ts';
import { REGIMES } from '../status/regimes.ts';
import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

// Refused calls added up: what `refusals` ends with, and what `explain` shows of now.

const MOST = 5;

/** What was refused while it was counted. */
export interface Refused {
  readonly durationMs: number;
  /** Calls that are counted here. */
  readonly counted: readonly PortCall[];
  readonly tally: RefusalTally;
}

/** For a program. */
export function refusedData({ durationMs, counted, tally }: Refused) {
  return {
    seconds: durationMs / 1000,
    counted,
    refused: tally.refused,
    likely: tally.likely,
    most: tally.most(MOST).map(({ destination, last, ...row }) => ({
      ...row,
      ...destination,
      last: last && { process: last.process, pid: last.pid, owner: last.owner },
    })),
  };
}

/** `17 calls were refused in 10s`, without a full stop; of which calls, where not all are counted: `1 TCP connect() call was`. */
export function refusedText({ durationMs, counted, tally }: Refused): string {
  const { refused } = tally;
  const which = counted.length === REGIMES.length ? '' : `${counted.map(callName).join(', ')} `;
  const calls = refused === 1 ? 'call was' : 'calls were';
  return `${refused === 0 ? 'No' : refused} ${which}${calls} refused in ${roughly(durationMs)}`;
}

/** Where most were refused, and whose was the last; undefined where none was. `own` is the namespace that is not named. */
export function mostRefusedTable(tally: RefusalTally, own: string, terminal: Terminal): string | undefined {
  const rows = tally.most(MOST);
  if (rows.length === 0) return undefined;
  const isElsewhere = rows.some(({ netns }) => netns !== own);
  return renderTable(isElsewhere ? [NETNS_COLUMN, ...COLUMNS] : COLUMNS, rows, terminal);
}

/** `tcp_connect`, as in the log. */
export function nameOfCall({ protocol, scope }: PortCall): string {
  return `${protocol}_${scope}`;
}

/** `curl/4711` */
export function nameOfProcess({ process, pid }: Pick<RefusalEvent, 'process' | 'pid'>): string {
  return `${process}/${pid}`;
}

/** `TCP connect()` */
function callName({ protocol, scope }: PortCall): string {
  return `${protocol.toUpperCase()} ${scope}()`;
}

const NETNS_COLUMN: Column<RefusedMost> = { title: 'NETNS', text: ({ netns }) => netns };

const COLUMNS: readonly Column<RefusedMost>[] = [
  { title: 'REFUSED', isNumber: true, text: ({ count }) => String(count), emphasis: () => 'alarm' },
  { title: 'CALL', text: nameOfCall },
  { title: 'FROM', text: ({ destination }) => destination?.localAddress ?? '' },
  {
    title: 'TO',
    text: ({ destination }) =>
      destination === undefined ? '' : endpoint(destination.remoteAddress, destination.remotePort),
  },
  { title: 'LAST PROCESS', text: ({ last }) => (last === undefined ? '' : nameOfProcess(last)) },
  { title: 'OWNER', text: ({ last }) => last?.owner ?? '' },
];

/** `10s`, `1h2m`, `306ms` */
function roughly(durationMs: number): string {
  return formatDuration(durationMs < 1000 ? durationMs : Math.round(durationMs / 1000) * 1000);
}
