import { boundFirst } from '../aggregate/blockedPorts.ts';
import type { Listener } from '../aggregate/listeners.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import { TIME_WAIT_MS } from '../sockets/record.ts';
import type { ExplainedDestination } from './explained.ts';
import { heldBlocked } from './uncertain.ts';

/** Something that would give a destination more ports. */
export interface Remedy {
  /** What programs know it by. */
  readonly remedy: string;
  /** How many more connect() calls to this destination would succeed, as things are now and by this remedy alone. */
  readonly freesPorts: number;
  readonly action: string;
  /** Whose connections, where it is one owner's. */
  readonly owner?: string;
  /** What brings it about, as words for a shell in the namespace. */
  readonly command?: readonly string[];
}

/**
 * Which remedies apply here, the one that frees most first. What would free nothing is left out.
 */
export function remediesFor(
  destination: ExplainedDestination,
  holders: NamedHolders,
  tcp: TcpSnapshot,
  range: RangeSnapshot,
): Remedy[] {
  const { bound = 0, explicit = 0, listener } = tcp.blocked;
  const first = boundFirst(tcp.blocked);
  const { used, reclaimable, available } = destination;
  const blocked = heldBlocked(destination, tcp);
  // All of them are taken for connections that did bind() first, as nearly all are: a connection rarely shares its port with a listener.
  const heldElsewhere = Math.max(0, blocked - first);
  const closeWait = holders.owners.reduce((sum, owner) => sum + owner.closeWait, 0);
  const within: readonly Remedy[] = [
    {
      remedy: 'reuseConnections',
      freesPorts: used.timeWait - reclaimable,
      action: 'reuse connections (keep-alive, pooling), so that none are left in TIME_WAIT',
    },
    {
      remedy: 'closeConnections',
      freesPorts: closeWait,
      action: 'close() connections that the peer has closed: the application leaves them in CLOSE_WAIT',
    },
    {
      remedy: 'tcpTwReuse',
      freesPorts: Math.min(
        oldEnoughForReuse(holders.timeWaitLeftMs, destination, range),
        used.timeWait - blocked,
      ),
      action: 'let connect() reuse ports in TIME_WAIT: net.ipv4.tcp_tw_reuse=1',
      command: ['sysctl', '-w', 'net.ipv4.tcp_tw_reuse=1'],
    },
    ...poolConnections(holders, range),
    {
      remedy: 'bindAddressNoPort',
      freesPorts: first - blocked,
      action: 'set IP_BIND_ADDRESS_NO_PORT before bind(address, 0), so that it blocks no port',
    },
    {
      remedy: 'leavePortToKernel',
      freesPorts: explicit - heldElsewhere,
      action: 'let connect() choose the port: one that bind() sets by number is blocked',
    },
    {
      remedy: 'closeBoundSockets',
      freesPorts: bound - heldElsewhere,
      action: 'close() sockets that called bind() but neither connect() nor listen()',
    },
    {
      remedy: 'moveListeners',
      freesPorts: listener - heldElsewhere,
      action: moveListeners(tcp.listeners.fullest),
    },
  ];
  const lacking = range.usable - available;
  return [
    ...within.map((remedy) => ({ ...remedy, freesPorts: Math.min(remedy.freesPorts, lacking) })),
    ...rangeRemedies(tcp.listeners.fullest, range),
    {
      remedy: 'moreDestinations',
      freesPorts: tcp.capacity,
      action: 'add addresses or ports of the destination: this many ports for each',
    },
    {
      remedy: 'moreSourceAddresses',
      freesPorts: tcp.capacity,
      action: 'add source addresses (bind() with IP_BIND_ADDRESS_NO_PORT): this many ports for each',
    },
  ]
    .filter(({ freesPorts }) => freesPorts > 0)
    .toSorted((a, b) => b.freesPorts - a.freesPorts);
}

/** An owner's connections are many from this share of the usable ports on. */
const MANY = 0.01;
const OWNERS_SHOWN = 5;

/** For each owner with many connections that are in use. A pool needs some of them: that many at most. */
function poolConnections({ owners }: NamedHolders, { usable }: RangeSnapshot): Remedy[] {
  return owners
    .filter(({ established }) => established > MANY * usable)
    .toSorted((a, b) => b.established - a.established)
    .slice(0, OWNERS_SHOWN)
    .map(({ owner, established }) => ({
      remedy: 'poolConnections',
      freesPorts: established,
      action: `close or pool the connections ${owner === undefined ? 'in ESTABLISHED' : `of ${owner}`}`,
      ...(owner === undefined ? {} : { owner }),
    }));
}

/** What a wider range adds: neither ports it has, nor reserved ones, nor those where somebody listens already. */
function rangeRemedies(listeners: readonly Listener[], range: RangeSnapshot): Remedy[] {
  const { first, last } = range;
  const widest = `${Math.min(first, WIDEST.first)} ${WIDEST.last}`;
  const listening = new Set(listeners.map(({ port }) => port));
  const usable = new Set(listeners.filter((one) => one.inEphemeralRange).map(({ port }) => port));
  const outside = [...listening].filter((port) => port >= WIDEST.first && (port < first || port > last));
  const reserved = [...listening].filter((port) => port >= first && port <= last && !usable.has(port));
  return [
    {
      remedy: 'widerRange',
      freesPorts: range.addable - outside.length,
      action:
        `widen the range, up to ${widest}; ` +
        'reserve the ports of services in net.ipv4.ip_local_reserved_ports',
      command: ['sysctl', '-w', `net.ipv4.ip_local_port_range=${widest}`],
    },
    {
      remedy: 'fewerReservedPorts',
      freesPorts: range.reserved - reserved.length,
      action: 'reserve only ports with listeners in net.ipv4.ip_local_reserved_ports',
      command: ['sysctl', '-w', `net.ipv4.ip_local_reserved_ports=${reserved.toSorted((a, b) => a - b)}`],
    },
  ];
}

/** Ports that need no privilege. */
const WIDEST = { first: 1024, last: 65_535 } as const;

/** TIME_WAIT sockets that net.ipv4.tcp_tw_reuse=1 would make reusable; none where it changes nothing. */
function oldEnoughForReuse(
  timeWaitLeftMs: readonly number[],
  { localAddress, remoteAddress }: ExplainedDestination,
  { timeWaitReuse: { mode, timestamps, delayMs } }: RangeSnapshot,
): number {
  const isReusableNow = mode === 1 || (mode === 2 && [localAddress, remoteAddress].some(isLoopback));
  if (isReusableNow || !timestamps) return 0;
  return timeWaitLeftMs.filter((left) => TIME_WAIT_MS - left >= delayMs).length;
}

/** What tcp_tw_reuse 2 calls loopback. */
function isLoopback(address: string | undefined): boolean {
  return address === '::1' || address?.startsWith('127.') === true;
}

const PORTS_SHOWN = 5;

function moveListeners(listeners: readonly Listener[]): string {
  const inRange = listeners.filter(({ inEphemeralRange }) => inEphemeralRange).map(({ port }) => port);
  const ports = [...new Set(inRange)].toSorted((a, b) => a - b);
  const rest = ports.length - PORTS_SHOWN;
  const named = ports.slice(0, PORTS_SHOWN).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
  return `move listeners out of the ephemeral range: ${named}`;
}
