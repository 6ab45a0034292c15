import type { Regime } from '../aggregate/exhaustion.ts';
import { UNATTRIBUTED } from '../aggregate/owners.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { TcpSnapshot } from '../aggregate/tcp.ts';
import { endpoint } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import type { NamedHolder } from '../sampler/namedHolders.ts';
import type { Explained, ExplainedDestination } from './explained.ts';
import { type Remedy, remediesFor } from './remedies.ts';
import type { Report } from './report.ts';
import { emphasisOfRatio, styled } from './style.ts';
import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

/** Why a destination has so few ports left, and what would help. */
export function explainReport(explained: Explained): Report {
  const { netns, destination, sourceAddresses, holders, tcp, udp, range } = explained;
  const remedies = remediesFor(destination, holders, tcp, range);
  const release = timeWaitRelease(holders.timeWaitLeftMs);
  return {
    data: {
      netns,
      destination,
      sourceAddresses,
      owners: holders.owners,
      timeWaitRelease: release,
      blocked: tcp.blocked,
      capacity: tcp.capacity,
      range,
      otherCalls: { tcpBind: tcp.bind, udpConnect: udp.connect, udpBind: udp.bind },
      remedies,
    },
    exitCode: 0,
    text: (terminal) =>
      [
        heading(explained, terminal),
        ...heldBy(holders.owners, terminal),
        ...givenBack(release, destination.reclaimable, terminal),
        renderTable(BLOCKED_COLUMNS, blockedRows(tcp), terminal),
        renderTable(SYSCTL_COLUMNS, sysctlRows(range), terminal),
        renderTable(OTHER_CALLS_COLUMNS, otherCalls(explained), terminal),
        ...whatHelps(remedies, terminal),
      ].join('\n\n'),
  };
}

const NOT_TOLD = `${UNATTRIBUTED}: the kernel keeps no owner for TIME_WAIT and other sockets that nobody holds any more.`;

/** Ports that TIME_WAIT gives back within so many seconds. */
interface TimeWaitRelease {
  readonly withinSeconds: number;
  readonly ports: number;
}

function timeWaitRelease(leftMs: readonly number[]): TimeWaitRelease[] {
  return [5, 15, 30, 60].map((withinSeconds) => ({
    withinSeconds,
    ports: leftMs.filter((left) => left <= withinSeconds * 1000).length,
  }));
}

function heading({ destination, sourceAddresses, range }: Explained, terminal: Terminal): string {
  const { available, ratio } = destination;
  const told = `${available} of ${counted(range.usable, 'port')} left (${percent(ratio)} used): `;
  const verdict =
    available === 0
      ? 'the next connect() fails with EADDRNOTAVAIL.'
      : `${available} more connect() ${available === 1 ? 'call succeeds' : 'calls succeed'}.`;
  const others = sourceAddresses - 1;
  return [
    styled(title(destination), 'heading', terminal),
    ...paragraph(told + verdict, terminal).map((line) => styled(line, emphasisOfRatio(ratio), terminal)),
    ...(others > 0
      ? paragraph(
          `From ${counted(others, 'other source address', 'other source addresses')} it is less full.`,
          terminal,
        )
      : []),
  ].join('\n');
}

function title({ localAddress, remoteAddress, remotePort }: ExplainedDestination): string {
  if (remoteAddress === undefined || remotePort === undefined) return 'Any destination: nobody is connected';
  const to = endpoint(remoteAddress, remotePort);
  return localAddress === undefined ? `${to}: nobody is connected` : `${localAddress} → ${to}`;
}

function heldBy(owners: readonly NamedHolder[], terminal: Terminal): string[] {
  if (owners.length === 0) return [];
  const legend = owners.some(({ owner }) => owner === UNATTRIBUTED) ? paragraph(NOT_TOLD, terminal) : [];
  return [[renderTable(HOLDER_COLUMNS, owners, terminal), ...legend].join('\n')];
}

function givenBack(release: readonly TimeWaitRelease[], reclaimable: number, terminal: Terminal): string[] {
  if (release.at(-1)?.ports === 0) return [];
  const rows = [
    { when: 'now, to the next connect()', ports: reclaimable },
    ...release.map(({ withinSeconds, ports }) => ({ when: `within ${withinSeconds} s`, ports })),
  ];
  return [renderTable(RELEASE_COLUMNS, rows, terminal)];
}

function blockedRows({ blocked }: TcpSnapshot): Row[] {
  return [
    { name: 'listeners', value: blocked.listener },
    { name: 'sockets that did only bind()', value: blocked.bound ?? 'unknown' },
    { name: 'connections that did bind(address, 0) first (inferred)', value: blocked.inferred },
  ];
}

function sysctlRows({ first, last, reserved, timeWaitReuse }: RangeSnapshot): Row[] {
  const { mode, timestamps, delayMs } = timeWaitReuse;
  const modes = ['never', 'always', 'on loopback only'] as const;
  return [
    { name: 'net.ipv4.ip_local_port_range', value: `${first} ${last}` },
    { name: 'net.ipv4.ip_local_reserved_ports', value: `${reserved} of these` },
    { name: 'net.ipv4.tcp_tw_reuse', value: `${mode} (${modes[mode]})` },
    { name: 'net.ipv4.tcp_timestamps', value: timestamps ? 'on' : 'off, so no TIME_WAIT can be reused' },
    { name: 'age from which a TIME_WAIT can be reused', value: `${delayMs} ms` },
  ];
}

function otherCalls({ tcp, udp }: Explained): (Regime & { readonly name: string })[] {
  return [
    { name: 'TCP bind(address, 0), worst address', ...tcp.bind },
    { name: 'UDP connect() or sendto(), unbound', ...udp.connect },
    { name: 'UDP bind(address, 0), worst address', ...udp.bind },
  ];
}

function whatHelps(remedies: readonly Remedy[], terminal: Terminal): string[] {
  return remedies.length === 0 ? [] : [renderTable(REMEDY_COLUMNS, remedies, terminal)];
}

function paragraph(text: string, { columns = Number.POSITIVE_INFINITY }: Terminal): string[] {
  return wrapped(text, columns);
}

interface Row {
  readonly name: string;
  readonly value: number | string;
}

const HOLDER_COLUMNS: readonly Column<NamedHolder>[] = [
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

const RELEASE_COLUMNS: readonly Column<{ when: string; ports: number }>[] = [
  { title: 'TIME_WAIT GIVES BACK', text: ({ when }) => when },
  { title: 'PORTS', isNumber: true, text: ({ ports }) => String(ports) },
];

const BLOCKED_COLUMNS: readonly Column<Row>[] = [
  { title: 'BLOCKED FOR EVERY DESTINATION BY', text: ({ name }) => name },
  { title: 'PORTS', isNumber: true, text: ({ value }) => String(value) },
];

const SYSCTL_COLUMNS: readonly Column<Row>[] = [
  { title: 'IN FORCE', text: ({ name }) => name },
  { title: 'VALUE', text: ({ value }) => String(value) },
];

const OTHER_CALLS_COLUMNS: readonly Column<Regime & { readonly name: string }>[] = [
  { title: 'OTHER CALLS', text: ({ name }) => name },
  {
    title: 'LEFT',
    isNumber: true,
    text: ({ available }) => String(available),
    emphasis: ({ ratio }) => emphasisOfRatio(ratio),
  },
  {
    title: 'USED',
    isNumber: true,
    text: ({ ratio }) => percent(ratio),
    emphasis: ({ ratio }) => emphasisOfRatio(ratio),
  },
];

const REMEDY_COLUMNS: readonly Column<Remedy>[] = [
  { title: 'FREES', isNumber: true, text: ({ freesPorts }) => String(freesPorts) },
  { title: 'WHAT WOULD HELP THIS DESTINATION, EACH ALONE', text: ({ action }) => action },
];
