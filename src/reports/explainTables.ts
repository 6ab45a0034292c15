import type { Regime } from '../aggregate/exhaustion.ts';
import { counted } from '../base/quantities.ts';
import type { SocketProcess } from '../owners/socketProcesses.ts';
import type { DestinationOwner } from '../snapshot/owners.ts';
import { UNATTRIBUTED } from '../snapshot/owners.ts';
import type { Explained, KnownElsewhere } from './explained.ts';
import { LEFT_COLUMNS } from './leftColumns.ts';
import type { Remedy } from './remedies.ts';
import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { heldBlocked, heldBy } from './uncertain.ts';
import { wrapped } from './wrap.ts';

// The tables of an explanation: each a text, undefined where there is nothing in it.

/** Ports that TIME_WAIT gives back within so many seconds. */
export interface TimeWaitRelease {
  readonly withinSeconds: number;
  readonly ports: number;
}

export function timeWaitRelease(leftMs: readonly number[]): TimeWaitRelease[] {
  return [5, 15, 30, 60].map((withinSeconds) => ({
    withinSeconds,
    ports: leftMs.filter((left) => left <= withinSeconds * 1000).length,
  }));
}

/** How the ports that are left come about; the rows but the last add up to it. */
export interface Ledger {
  readonly usable: number;
  readonly blocked: number;
  readonly held: number;
  /** Held ports that are counted as blocked already. */
  readonly heldBlocked: number;
  /** Held ports in TIME_WAIT that connect() may take over now. */
  readonly reclaimable: number;
  readonly left: number;
}

export function ledgerOf({ destination, tcp, range }: Explained): Ledger {
  return {
    usable: range.usable,
    blocked: range.usable - tcp.capacity,
    held: heldBy(destination.used),
    heldBlocked: heldBlocked(destination, tcp),
    reclaimable: destination.reclaimable,
    left: destination.available,
  };
}

export function ledgerTable({ usable, blocked, held, left, ...rest }: Ledger, terminal: Terminal): string {
  const taken = (count: number) => (count === 0 ? count : `-${count}`);
  const given = (count: number, name: string) => (count === 0 ? [] : [{ name, value: `+${count}` }]);
  const rows: Row[] = [
    { name: 'usable: the range without reserved ports', value: usable },
    { name: 'blocked for every destination', value: taken(blocked) },
    { name: 'held towards this destination', value: taken(held) },
    ...given(rest.heldBlocked, 'held on a blocked port, and counted there'),
    ...given(rest.reclaimable, 'held in TIME_WAIT that connect() can reuse'),
    { name: 'left', value: left },
  ];
  return renderTable(LEDGER_COLUMNS, rows, terminal);
}

const NOT_TOLD = `${UNATTRIBUTED}: the kernel keeps no owner for sockets in TIME_WAIT and others that no process holds.`;

export function holdersTable(owners: readonly DestinationOwner[], terminal: Terminal): string | undefined {
  if (owners.length === 0) return undefined;
  const legend = owners.some(({ owner }) => owner === UNATTRIBUTED) ? paragraph(NOT_TOLD, terminal) : [];
  return [renderTable(HOLDER_COLUMNS, owners, terminal), ...legend].join('\n');
}

const PROCESSES_SHOWN = 10;

export function processesTable(
  { processes, unknown, refusal }: Explained['processes'],
  terminal: Terminal,
): string | undefined {
  const rest = processes.length - PROCESSES_SHOWN;
  const why = refusal === undefined ? '' : `: reading the descriptors of other users' processes: ${refusal}`;
  const lines = [
    ...(processes.length === 0
      ? []
      : [renderTable(PROCESS_COLUMNS, processes.slice(0, PROCESSES_SHOWN), terminal)]),
    ...(rest > 0 ? [`${counted(rest, 'more process', 'more processes')}; --json shows all.`] : []),
    ...(unknown > 0 ? paragraph(`No process found for ${counted(unknown, 'socket')}${why}.`, terminal) : []),
  ];
  return lines.length === 0 ? undefined : lines.join('\n');
}

export function releaseTable(release: readonly TimeWaitRelease[], terminal: Terminal): string | undefined {
  return release.at(-1)?.ports === 0 ? undefined : renderTable(RELEASE_COLUMNS, release, terminal);
}

export function blockedTable({ tcp }: Explained, terminal: Terminal): string {
  const { listener, bound = 'unknown', bucket, explicit = 'unknown', inferred = 'unknown' } = tcp.blocked;
  const first = 'connections that called bind(address, 0) first (inferred)';
  const rows: Row[] = [
    { name: 'listeners', value: listener },
    { name: 'sockets that only called bind()', value: bound },
    { name: 'connections whose port was chosen by number', value: explicit },
    { name: first, value: inferred },
  ];
  if (bucket !== undefined)
    rows.splice(2, 2, { name: 'connections that called bind() first', value: bucket });
  return renderTable(BLOCKED_COLUMNS, rows, terminal);
}

export function sysctlTable({ range }: Explained, terminal: Terminal): string {
  const { first, last, reserved, timeWaitReuse } = range;
  const { mode, timestamps, delayMs } = timeWaitReuse;
  const modes = ['never', 'always', 'on loopback only'] as const;
  const rows: Row[] = [
    { name: 'net.ipv4.ip_local_port_range', value: `${first} ${last}` },
    { name: 'net.ipv4.ip_local_reserved_ports', value: `${reserved} of these` },
    { name: 'net.ipv4.tcp_tw_reuse', value: `${mode} (${modes[mode]})` },
    { name: 'net.ipv4.tcp_timestamps', value: timestamps ? 'on' : 'off, so no TIME_WAIT can be reused' },
    { name: 'minimum age of a reusable TIME_WAIT', value: `${delayMs} ms` },
  ];
  return renderTable(SYSCTL_COLUMNS, rows, terminal);
}

export function otherCallsTable({ tcp, udp }: Explained, terminal: Terminal): string {
  const rows = [
    { name: 'TCP bind(address, 0), worst address', ...tcp.bind },
    { name: 'UDP connect() or sendto(), unbound', ...udp.connect },
    { name: 'UDP bind(address, 0), worst address', ...udp.bind },
  ];
  return renderTable(OTHER_CALLS_COLUMNS, rows, terminal);
}

export function elsewhereTable(known: readonly KnownElsewhere[], terminal: Terminal): string | undefined {
  return known.length === 0 ? undefined : renderTable(ELSEWHERE_COLUMNS, known, terminal);
}

export function remediesTable(remedies: readonly Remedy[], terminal: Terminal): string | undefined {
  return remedies.length === 0 ? undefined : renderTable(REMEDY_COLUMNS, remedies, terminal);
}

export function paragraph(text: string, { columns = Number.POSITIVE_INFINITY }: Terminal): string[] {
  return wrapped(text, columns);
}

interface Row {
  readonly name: string;
  readonly value: number | string;
}

const LEDGER_COLUMNS: readonly Column<Row>[] = [
  { title: 'HOW MANY ARE LEFT', text: ({ name }) => name },
  { title: 'PORTS', isNumber: true, text: ({ value }) => String(value) },
];

const HOLDER_COLUMNS: readonly Column<DestinationOwner>[] = [
  { title: 'HELD BY', text: ({ owner = '' }) => owner },
  { title: 'ESTAB', isNumber: true, text: ({ established }) => String(established) },
  { title: 'TIME-WAIT', isNumber: true, text: ({ timeWait }) => String(timeWait) },
  {
    title: 'CLOSE-WAIT',
    isNumber: true,
    text: ({ closeWait }) => String(closeWait),
    // The other side has closed and the application has not: nothing but a close() gives the port back.
    emphasis: ({ closeWait }) => (closeWait > 0 ? 'warning' : 'plain'),
  },
  { title: 'OTHER', isNumber: true, text: ({ other }) => String(other) },
  { title: 'PORTS', isNumber: true, text: ({ ports }) => String(ports) },
];

const PROCESS_COLUMNS: readonly Column<SocketProcess>[] = [
  { title: 'PROCESS', text: ({ process, pid }) => `${process}/${pid}` },
  { title: 'USER', text: ({ user }) => user },
  { title: 'SOCKETS', isNumber: true, text: ({ sockets }) => String(sockets) },
  { title: 'COMMAND', text: ({ commandLine }) => commandLine, isDetail: true },
];

const RELEASE_COLUMNS: readonly Column<TimeWaitRelease>[] = [
  { title: 'TIME_WAIT EXPIRES', text: ({ withinSeconds }) => `within ${withinSeconds} s` },
  { title: 'PORTS', isNumber: true, text: ({ ports }) => String(ports) },
];

const BLOCKED_COLUMNS: readonly Column<Row>[] = [
  { title: 'BLOCKED FOR EVERY DESTINATION BY', text: ({ name }) => name },
  { title: 'PORTS', isNumber: true, text: ({ value }) => String(value) },
];

const SYSCTL_COLUMNS: readonly Column<Row>[] = [
  { title: 'SETTING', text: ({ name }) => name },
  { title: 'VALUE', text: ({ value }) => String(value) },
];

const OTHER_CALLS_COLUMNS: readonly Column<
  Pick<Regime, 'available' | 'ratio'> & { readonly name: string }
>[] = [{ title: 'OTHER CALLS', text: ({ name }) => name }, ...LEFT_COLUMNS];

const ELSEWHERE_COLUMNS: readonly Column<KnownElsewhere>[] = [
  { title: 'KNOWN IN', text: ({ netns }) => netns },
  { title: 'FROM', text: ({ localAddress }) => localAddress },
  ...LEFT_COLUMNS,
];

const REMEDY_COLUMNS: readonly Column<Remedy>[] = [
  { title: 'FREES', isNumber: true, text: ({ freesPorts }) => String(freesPorts) },
  { title: 'REMEDY FOR THIS DESTINATION, EACH ALONE', text: ({ action }) => action },
];
