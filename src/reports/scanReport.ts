import { errnoInWords } from '../base/errors.ts';
import { escapeInvisible } from '../base/logfmt.ts';
import { counted } from '../base/quantities.ts';
import type { PortState } from '../scan/scan.ts';
import type { ComparedPort } from '../scan/scanDifferences.ts';
import type { ScanTarget } from '../scan/scanTarget.ts';
import type { DescribedListener } from '../snapshot/describedListener.ts';

import type { Report } from './report.ts';
import type { Emphasis } from './style.ts';
import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

/** A scan that was made, or as much as there was time for. */
export interface Scan {
  readonly target: ScanTarget;
  /** Ports that were asked. */
  readonly ports: readonly ComparedPort[];
  /** How many were to be asked. */
  readonly toAsk: number;
  readonly seconds: number;
  readonly wasInterrupted: boolean;
  /** By /etc/services; '' where it names none. */
  readonly service: (port: number) => string;
}

/** Which ports are open, closed or filtered, and where the listener table says otherwise. */
export function scanReport(scan: Scan): Report {
  return {
    // The data may have 65 535 ports, which a person is not shown.
    get data() {
      return data(scan);
    },
    exitCode: scan.wasInterrupted ? 130 : 0,
    text: (terminal) => text(scan, terminal),
  };
}

const STATES: readonly PortState[] = ['open', 'closed', 'filtered'];

function numberOf(ports: readonly ComparedPort[], wanted: PortState): number {
  return ports.filter(({ state }) => state === wanted).length;
}

function data(scan: Scan) {
  const { target, ports, seconds, wasInterrupted } = scan;
  return {
    ...{ host: target.host, address: target.address, otherAddresses: target.otherAddresses },
    ...{ isThisHost: target.isThisHost, seconds, interrupted: wasInterrupted },
    counts: Object.fromEntries(STATES.map((state) => [state, numberOf(ports, state)])),
    ports: ports.map((port) => portData(port, scan)),
  };
}

function portData({ port, state, error, listener, difference }: ComparedPort, { service }: Scan) {
  return {
    ...{ port, state, error, difference },
    service: service(port) || undefined,
    listener: listener && { address: listener.address, owner: listener.owner || undefined },
  };
}

function text(scan: Scan, terminal: Terminal): string {
  const { target, ports } = scan;
  const shown = ports.filter(isShown(ports));
  const left = STATES.map((state) => [numberOf(ports, state) - numberOf(shown, state), state] as const);
  const unshown = left.filter(([count]) => count > 0).map(([count, state]) => `${count} ${state}`);
  const notes = [
    heading(scan),
    ...(target.otherAddresses.length > 0 ? [`Not scanned: ${target.otherAddresses.join(', ')}`] : []),
    ...(unshown.length > 0 ? [`Not shown: ${unshown.join(', ')}`] : []),
  ].flatMap((line) => wrapped(line, terminal.columns ?? Number.POSITIVE_INFINITY));
  if (shown.length === 0) return notes.join('\n');
  return [...notes, '', renderTable(columnsFor(scan, shown), shown, terminal)].join('\n');
}

/** `localhost (127.0.0.1), this host: 1219 ports in 0.1 s` */
function heading({ target, ports, toAsk, seconds, wasInterrupted }: Scan): string {
  const { host, address, isThisHost } = target;
  const who = host === address ? address : `${escapeInvisible(host)} (${address})`;
  const asked = wasInterrupted ? `interrupted after ${ports.length} of ` : '';
  return `${who}${isThisHost ? ', this host' : ''}: ${asked}${counted(toAsk, 'port')} in ${seconds.toFixed(1)} s`;
}

/** nmap counts more than this of one state instead of showing them. */
const MOST_FILTERED = 25;

/** What is closed is as nobody would have it otherwise, and so is most of what a firewall keeps to itself. */
function isShown(ports: readonly ComparedPort[]): (port: ComparedPort) => boolean {
  const hidesFiltered = numberOf(ports, 'filtered') > MOST_FILTERED;
  return ({ state, difference }) =>
    difference !== undefined || state === 'open' || (state === 'filtered' && !hidesFiltered);
}

function columnsFor({ target, service }: Scan, shown: readonly ComparedPort[]): Column<ComparedPort>[] {
  const listeners: Column<ComparedPort>[] = [
    { title: 'LISTENER', text: ({ listener }) => listener?.address ?? '' },
    { title: 'OWNER', text: ({ listener }) => listener?.owner ?? '', isDetail: true },
  ];
  const notes: Column<ComparedPort> = { title: 'NOTE', text: note, isDetail: true };
  return [
    { title: 'PORT', isNumber: true, text: ({ port }) => String(port) },
    { title: 'STATE', text: ({ state }) => state, emphasis: emphasisOf },
    { title: 'SERVICE', text: ({ port }) => service(port) },
    ...(target.isThisHost ? listeners : []),
    ...(shown.some((port) => note(port) !== '') ? [notes] : []),
  ];
}

function emphasisOf({ difference, state }: ComparedPort): Emphasis {
  if (difference !== undefined) return 'alarm';
  return state === 'filtered' ? 'warning' : 'plain';
}

function note(port: ComparedPort): string {
  switch (port.difference) {
    case 'noListener':
      return 'answers without a listener here: NAT or another network namespace';
    case 'ipv6Only':
      return 'listens but is unreachable: IPv6 only';
    case 'unreachable':
      return `listens but is unreachable: ${port.state === 'closed' ? 'refused' : whyFiltered(port)}`;
    case undefined:
      return port.state === 'filtered' ? whyFiltered(port) : '';
  }
}

function whyFiltered({ error = '', listener }: ComparedPort): string {
  if (error === 'ETIMEDOUT') return fullQueue(listener) ?? 'no answer';
  return errnoInWords(error);
}

/** The kernel drops the SYN for such a listener, which to the client is no answer. */
function fullQueue(listener: DescribedListener | undefined): string | undefined {
  const { acceptQueue: waiting = 0, acceptQueueLimit: limit = Number.POSITIVE_INFINITY } = listener ?? {};
  return waiting > limit ? `accept queue full (${waiting}/${limit})` : undefined;
}
