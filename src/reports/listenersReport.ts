import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { Report } from './report.ts';
import { sortKeys, sortRows } from './sortRows.ts';
import { type Column, renderTable } from './table.ts';
import { wrapped } from './wrap.ts';

/** A listener, and its network namespace where several were asked. */
export type ListedListener = DescribedListener & { readonly netns?: string };

/** Which listeners are shown. */
export interface WantedListeners {
  /** Undefined for all. */
  readonly matches?: ((listener: ListedListener) => boolean) | undefined;
  /** The only port that can match, if there is one. */
  readonly port?: number | undefined;
  /** One of LISTENER_SORT_KEYS; by port where undefined. */
  readonly sort?: string | undefined;
}

/** Who listens, of those wanted. */
export function listenersReport(
  { netns, listeners }: { readonly netns: string; readonly listeners: readonly ListedListener[] },
  { matches, port, sort = 'port' }: WantedListeners = {},
): Report {
  const inOrder = listeners
    .filter(matches ?? (() => true))
    .toSorted((a, b) => a.port - b.port || compare(a.protocol, b.protocol) || compare(a.address, b.address));
  const rows = sortRows(COLUMNS, sort, inOrder);
  const isFiltered = matches !== undefined;
  const columns = rows.some((row) => row.netns !== undefined) ? [NETNS_COLUMN, ...COLUMNS] : COLUMNS;
  return {
    data: { netns, listeners: rows.map(listenerData) },
    exitCode: isFiltered && rows.length === 0 ? 1 : 0,
    text(terminal) {
      if (rows.length === 0) return noListeners(port, isFiltered);
      const legend = rows.some(({ inEphemeralRange }) => inEphemeralRange)
        ? wrapped(IN_RANGE_LEGEND, terminal.columns ?? Number.POSITIVE_INFINITY)
        : [];
      return [renderTable(columns, rows, terminal), ...legend].join('\n');
    },
  };
}

function noListeners(port: number | undefined, isFiltered: boolean): string {
  if (port !== undefined) return `No listeners on port ${port}.`;
  return isFiltered ? 'No listener matches the filter.' : 'No listeners.';
}

const IN_RANGE_LEGEND =
  '! in the ephemeral range: no connect() can use this port, and while the service restarts any connection can take it.';

function listenerData(listener: ListedListener) {
  const { netns, protocol, address, port, service, process, pid, user, owner, ...numbers } = listener;
  return {
    netns,
    protocol,
    address,
    port,
    service: known(service),
    process: known(process),
    pid,
    user: known(user),
    owner: known(owner),
    acceptQueue: numbers.acceptQueue,
    acceptQueueLimit: numbers.acceptQueueLimit,
    connections: numbers.connections,
    dropped: numbers.dropped,
    inEphemeralRange: numbers.inEphemeralRange,
  };
}

const NETNS_COLUMN: Column<ListedListener> = { title: 'NETNS', text: ({ netns = '' }) => netns };

const COLUMNS: readonly Column<DescribedListener>[] = [
  { title: 'PROTO', text: ({ protocol }) => protocol, order: ({ protocol }) => protocol },
  { title: 'ADDRESS', text: ({ address }) => address, order: ({ address }) => address },
  {
    title: 'PORT',
    isNumber: true,
    text: ({ port, inEphemeralRange }) => `${port}${inEphemeralRange ? '!' : ''}`,
    emphasis: ({ inEphemeralRange }) => (inEphemeralRange ? 'warning' : 'plain'),
    order: ({ port }) => String(port),
  },
  { title: 'SERVICE', text: ({ service }) => service, order: ({ service }) => known(service) },
  {
    title: 'PROCESS',
    text: ({ process, pid }) => (pid === undefined ? '' : `${process}/${pid}`),
    isDetail: true,
    order: ({ process }) => known(process),
  },
  { title: 'USER', text: ({ user }) => user, isDetail: true, order: ({ user }) => known(user) },
  { title: 'OWNER', text: ({ owner }) => owner, isDetail: true, order: ({ owner }) => known(owner) },
  {
    title: 'QUEUE',
    isNumber: true,
    text: ({ acceptQueue, acceptQueueLimit }) =>
      acceptQueue === undefined ? '' : `${acceptQueue}/${acceptQueueLimit ?? '?'}`,
    emphasis: ({ acceptQueue = 0, acceptQueueLimit }) =>
      acceptQueueLimit !== undefined && acceptQueue > acceptQueueLimit ? 'alarm' : 'plain',
    order: ({ acceptQueue }) => acceptQueue,
  },
  {
    title: 'CONNS',
    isNumber: true,
    text: ({ connections }) => shown(connections),
    order: ({ connections }) => connections,
  },
  {
    title: 'DROPS',
    isNumber: true,
    text: ({ dropped }) => shown(dropped),
    emphasis: ({ dropped = 0 }) => (dropped > 0 ? 'warning' : 'plain'),
    order: ({ dropped }) => dropped,
  },
];

/** By what they can be sorted. */
export const LISTENER_SORT_KEYS: readonly string[] = sortKeys(COLUMNS);

function known(text: string): string | undefined {
  return text === '' ? undefined : text;
}

function shown(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
