import type { PortSysctls } from '../../src/kernel/sysctl.ts';
import type { Sock, World } from './world.ts';

/** A socket without gaps, as far as the formulas look at it. */
type Whole = Sock & Required<Pick<Sock, 'remote' | 'remotePort' | 'v6only' | 'timeWaitAgeMs'>>;

/**
 * The formulas, written down once more with nothing but sets and strings: which sockets hold which ports, and how many
 * further calls of each kind succeed. Slow, and plain enough to be checked against the kernel by eye.
 */
export interface Reference {
  readonly blocked: { readonly listener: number; readonly bound: number; readonly inferred: number };
  readonly capacity: number;
  readonly tcpUsedPorts: number;
  readonly udpUsedPorts: number;
  /** By `local > remote:port`. */
  readonly destinations: Record<string, DestinationRow>;
  readonly tcpLocal: Record<string, LocalRow>;
  readonly udpLocal: Record<string, LocalRow>;
  readonly worst: Record<'tcpConnect' | 'tcpBind' | 'udpConnect' | 'udpBind', Left>;
  /** bind(loopback address, 0) calls that succeed: TCP on IPv4 and IPv6, UDP on both. */
  readonly onLoopback: readonly number[];
  /** Whether a connection alone holds a port that bind(address, 0) may be given, although it avoids the half of connect(). */
  readonly bindMayBlock: boolean;
  readonly inbound: number;
  readonly outbound: number;
}

/** Further calls that succeed, and how exhausted that is. */
interface Left {
  readonly available: number;
  readonly ratio: number;
}

interface DestinationRow extends Left {
  readonly held: number;
  readonly reclaimable: number;
}

interface LocalRow extends Left {
  readonly used: number;
}

const TIME_WAIT = 6;
const CLOSE = 7;
const LISTEN = 10;

export function reference(world: World): Reference {
  const usable = usablePorts(world.sysctls);
  const left = (available: number): Left => ({
    available,
    ratio: available === 0 ? 1 : 1 - available / usable.size,
  });

  const tcp = world.tcp.map(plain);
  const listeners = tcp.filter(({ state }) => state === LISTEN);
  const connections = tcp.filter(({ state }) => state !== LISTEN && state !== CLOSE);
  const isInbound = (sock: PlainSock) => listeners.some((listener) => takes(listener, sock));
  const outbound = connections.filter((sock) => !isInbound(sock) && usable.has(sock.localPort));
  const tuples = groupBy(outbound, ({ local, remote, remotePort }) => `${local} > ${remote}:${remotePort}`);

  const listener = portsOf(listeners, usable);
  const known = union(
    listener,
    portsOf(
      tcp.filter(({ state }) => state === CLOSE),
      usable,
    ),
  );
  const inferred = inferredPorts(world.sysctls, usable, known, [...tuples.values()]);
  const blocked = union(known, inferred);
  const capacity = usable.size - blocked.size;

  const destinations = mapValues(tuples, (socks): DestinationRow => {
    const used = socks.filter(({ localPort }) => !blocked.has(localPort));
    const reclaimable = used.filter((sock) => isReusable(sock, world.sysctls)).length;
    const available = usable.size - blocked.size - used.length + reclaimable;
    return { held: socks.length, reclaimable, ...left(available) };
  });
  const udp = world.udp.map(plain);
  const tcpBind = bindRegime(tcp, usable);
  const udpBind = bindRegime(udp, usable);
  const tcpUsedPorts = portsOf(tcp, usable).size;
  const udpUsedPorts = portsOf(udp, usable).size;
  const localRows = (used: Record<string, number>) =>
    mapValues(
      new Map(Object.entries(used)),
      (ports): LocalRow => ({ used: ports, ...left(usable.size - ports) }),
    );
  return {
    blocked: { listener: listener.size, bound: known.size - listener.size, inferred: inferred.size },
    capacity,
    tcpUsedPorts,
    udpUsedPorts,
    destinations,
    tcpLocal: localRows(tcpBind.used),
    udpLocal: localRows(udpBind.used),
    worst: {
      tcpConnect: left(Math.min(capacity, ...Object.values(destinations).map(({ available }) => available))),
      tcpBind: left(usable.size - tcpBind.worst),
      udpConnect: left(usable.size - udpUsedPorts),
      udpBind: left(usable.size - udpBind.worst),
    },
    onLoopback: [tcpBind, udpBind].flatMap(({ usedOn }) =>
      ['127.0.0.1', '::1'].map((address) => usable.size - usedOn(address)),
    ),
    bindMayBlock: bindMayBlock(world.sysctls, usable, portsOf(tcp, usable), known),
    inbound: connections.filter(isInbound).length,
    outbound: connections.filter((sock) => !isInbound(sock)).length,
  };
}

/** A socket whose mapped addresses are IPv4's, as the kernel treats them. */
type PlainSock = Whole;

function plain(sock: Sock): PlainSock {
  const unmap = (address: string) => address.replace(/^::ffff:(?=\d+\.)/, '');
  const local = unmap(sock.local);
  const remote = unmap(sock.remote ?? (local.includes(':') ? '::' : '0.0.0.0'));
  return { remotePort: 0, v6only: false, timeWaitAgeMs: -1, ...sock, local, remote };
}

/** U: the range minus the reserved ports. */
function usablePorts({ range, reserved }: PortSysctls): Set<number> {
  const ports = new Set<number>();
  for (let port = range.first; port <= range.last; port++) ports.add(port);
  for (const [first, last] of reserved) for (let port = first; port <= last; port++) ports.delete(port);
  return ports;
}

function portsOf(socks: readonly PlainSock[], usable: Set<number>): Set<number> {
  return new Set(socks.map(({ localPort }) => localPort).filter((port) => usable.has(port)));
}

function union(some: Set<number>, others: Set<number>): Set<number> {
  return new Set([...some, ...others]);
}

const isIpv6 = (address: string) => address.includes(':');

/** Whether a holder's address stands in the way of an address, or covers it: the table of families and wildcards. */
function meets(holder: PlainSock, address: string): boolean {
  if (holder.local === address) return true;
  if (holder.local === '0.0.0.0') return !isIpv6(address);
  if (holder.local === '::') return isIpv6(address) || !holder.v6only;
  return false;
}

/** Whether the connection has the listener's port and an address that it takes. */
function takes(listener: PlainSock, connection: PlainSock): boolean {
  return listener.localPort === connection.localPort && meets(listener, connection.local);
}

/**
 * connect() takes ports of the first port's parity first, bind(0) the others: whoever is in the second half while its
 * tuple has not used up the first was bound. With an odd number of ports (and more than one) a call leaves one out.
 */
function inferredPorts(
  { range }: PortSysctls,
  usable: Set<number>,
  known: Set<number>,
  tuples: readonly PlainSock[][],
): Set<number> {
  const isFirstHalf = (port: number) => port % 2 === range.first % 2;
  const ports = range.last - range.first + 1;
  const leftOut = ports % 2 === 1 && ports > 1 ? 1 : 0;
  const unblocked = new Set([...usable].filter((port) => !known.has(port)));
  const firstHalf = new Set([...unblocked].filter(isFirstHalf));
  const inferred = new Set<number>();
  for (const socks of tuples) {
    const held = portsOf(socks, firstHalf).size;
    if (held >= firstHalf.size - leftOut) continue;
    for (const port of portsOf(socks, unblocked)) if (!isFirstHalf(port)) inferred.add(port);
  }
  return inferred;
}

function isReusable(sock: PlainSock, { twReuse, timestamps, twReuseDelayMs }: PortSysctls): boolean {
  if (sock.state !== TIME_WAIT || !timestamps || sock.timeWaitAgeMs < twReuseDelayMs) return false;
  const isLoopback = [sock.local, sock.remote].some(
    (address) => address === '::1' || address.startsWith('127.'),
  );
  return twReuse === 1 || (twReuse === 2 && isLoopback);
}

/**
 * Ports used on every address seen, and the most used of them and of an address of each family that nobody uses. A
 * wildcard address is a holder, but no address of its own.
 */
function bindRegime(
  socks: readonly PlainSock[],
  usable: Set<number>,
): { used: Record<string, number>; worst: number; usedOn: (address: string) => number } {
  const holders = socks.filter(({ localPort }) => usable.has(localPort));
  const usedOn = (address: string) =>
    portsOf(
      holders.filter((holder) => meets(holder, address)),
      usable,
    ).size;
  const seen = holders.map(({ local }) => local).filter((local) => local !== '0.0.0.0' && local !== '::');
  const used = Object.fromEntries(seen.map((local) => [local, usedOn(local)]));
  return { used, worst: Math.max(...Object.values(used), usedOn('240.0.0.1'), usedOn('100::1')), usedOn };
}

/** bind(0) tries the ports of the second half first, all where few of those are free: held ones that no fact blocks. */
function bindMayBlock(
  { range }: PortSysctls,
  usable: Set<number>,
  held: Set<number>,
  blocked: Set<number>,
): boolean {
  const second = [...usable].filter((port) => port % 2 !== range.first % 2);
  const tried = second.filter((port) => !held.has(port)).length < 16 ? [...usable] : second;
  return tried.some((port) => held.has(port) && !blocked.has(port));
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

function mapValues<T, U>(map: ReadonlyMap<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries([...map].map(([key, value]) => [key, change(value)]));
}
