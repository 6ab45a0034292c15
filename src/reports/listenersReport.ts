import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { Report } from './report.ts';
import { type Column, renderTable } from './table.ts';
import { wrapped } from './wrap.ts';

/** A listener, and its network namespace where several were asked. */
export type ListedListener = DescribedListener & { readonly netns?: string };

/** Who listens; on one port, if one is given. */
export function listenersReport(
  { netns, listeners }: { readonly netns: string; readonly listeners: readonly ListedListener[] },
  port: number | undefined,
): Report {
  const rows = listeners
    .filter((listener) => port === undefined || listener.port === port)
    .toSorted((a, b) => a.port - b.port || compare(a.protocol, b.protocol) || compare(a.address, b.address));
  const columns = rows.some((row) => row.netns !== undefined) ? [NETNS_COLUMN, ...COLUMNS] : COLUMNS;
  return {
    data: { netns, listeners: rows.map(listenerData) },
    exitCode: port !== undefined && rows.length === 0 ? 1 : 0,
    text(terminal) {
      if (rows.length === 0) return `No listeners${port === undefined ? '' : ` on port ${port}`}.`;
      const legend = rows.some(({ inEphemeralRange }) => inEphemeralRange)
        ? wrapped(IN_RANGE_LEGEND, terminal.columns ?? Number.POSITIVE_INFINITY)
        : [];
      return [renderTable(columns, rows, terminal), ...legend].join('\n');
    },
  };
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
  { title: 'PROTO', text: ({ protocol }) => protocol },
  { title: 'ADDRESS', text: ({ address }) => address },
  {
    title: 'PORT',
    isNumber: true,
    text: ({ port, inEphemeralRange }) => `${port}${inEphemeralRange ? '!' : ''}`,
    emphasis: ({ inEphemeralRange }) => (inEphemeralRange ? 'warning' : 'plain'),
  },
  { title: 'SERVICE', text: ({ service }) => service },
  {
    title: 'PROCESS',
    text: ({ process, pid }) => (pid === undefined ? '' : `${process}/${pid}`),
    isDetail: true,
  },
  { title: 'USER', text: ({ user }) => user, isDetail: true },
  { title: 'OWNER', text: ({ owner }) => owner, isDetail: true },
  {
    title: 'QUEUE',
    isNumber: true,
    text: ({ acceptQueue, acceptQueueLimit }) =>
      acceptQueue === undefined ? '' : `${acceptQueue}/${acceptQueueLimit ?? '?'}`,
    emphasis: ({ acceptQueue = 0, acceptQueueLimit }) =>
      acceptQueueLimit !== undefined && acceptQueue > acceptQueueLimit ? 'alarm' : 'plain',
  },
  { title: 'CONNS', isNumber: true, text: ({ connections }) => shown(connections) },
  {
    title: 'DROPS',
    isNumber: true,
    text: ({ dropped }) => shown(dropped),
    emphasis: ({ dropped = 0 }) => (dropped > 0 ? 'warning' : 'plain'),
  },
];

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
