import ipaddr from 'ipaddr.js';
import { Destinations } from '../../src/aggregate/destinations.ts';
import type { HeldConnections } from '../../src/aggregate/heldConnections.ts';
import { emptyInferenceState } from '../../src/aggregate/inferenceState.ts';
import type { Limits } from '../../src/aggregate/limits.ts';
import { ephemeralRange } from '../../src/aggregate/range.ts';
import { TcpSockets } from '../../src/aggregate/tcp.ts';
import type { TcpSnapshot } from '../../src/aggregate/tcpSnapshot.ts';
import { type UdpSnapshot, UdpSockets } from '../../src/aggregate/udp.ts';
import type { PortSysctls } from '../../src/kernel/sysctl.ts';
import { type Family, SocketRecord } from '../../src/sockets/record.ts';

/** The sockets of one namespace, and its sysctls: everything that a sample is made of. */
export interface World {
  readonly sysctls: PortSysctls;
  readonly tcp: readonly Sock[];
  readonly udp: readonly Sock[];
}

/** A socket as people write it. Mapped addresses still look mapped. */
export interface Sock {
  readonly state: number;
  readonly local: string;
  readonly localPort: number;
  readonly remote?: string;
  readonly remotePort?: number;
  readonly v6only?: boolean;
  readonly timeWaitAgeMs?: number;
  /** By default every socket but a TIME_WAIT has one. */
  readonly inode?: number;
  readonly cgroupId?: number;
  readonly receiveQueue?: number;
  readonly backlogLimit?: number;
  readonly drops?: number;
  readonly id?: number;
  readonly device?: number;
  readonly vrf?: number;
}

export const LIMITS: Limits = {
  ...{ destinations: 1000, localAddresses: 1000, listeners: 1000 },
  ...{ owners: 1000, snat: 1000 },
};
const LISTEN = 10;
const CLOSE = 7;
const TIME_WAIT = 6;

/** In the order of a sample: listeners, then bound-only sockets, then connections. */
export function tallyTcp(
  { sysctls, tcp }: World,
  limits: Partial<Limits> = {},
  held?: HeldConnections,
  /** What the kernel says where it may be either: by default that connect() chose the port. */
  isBlocked: (port: number) => boolean | undefined = () => false,
): TcpSnapshot {
  const range = ephemeralRange(sysctls);
  const tally = new TcpSockets(range, sysctls, new Destinations(), { held, keepsPorts: true });
  for (const sock of tcp.filter(({ state }) => state === LISTEN)) tally.addListener(toRecord(sock));
  for (const sock of tcp.filter(({ state }) => state === CLOSE)) tally.addConnection(toRecord(sock));
  const connections = tcp.filter(({ state }) => state !== LISTEN && state !== CLOSE);
  for (const sock of connections) tally.addConnection(toRecord(sock));
  return tally.summarise({
    ...{ limits: { ...LIMITS, ...limits }, seesBoundOnly: true, memory: emptyInferenceState(), isBlocked },
  }).snapshot;
}

export function tallyUdp({ sysctls, udp }: World, limits: Partial<Limits> = {}): UdpSnapshot {
  const tally = new UdpSockets(ephemeralRange(sysctls));
  for (const sock of udp) tally.add(toRecord(sock));
  return tally.summarise({ ...LIMITS, ...limits });
}

/** Every socket is another one. */
let lastId = 0;

export function toRecord(sock: Sock): SocketRecord {
  const record = new SocketRecord();
  const local = ipaddr.process(sock.local);
  const isIpv6 = local.kind() === 'ipv6';
  record.socketFamily = sock.local.includes(':') ? 6 : 4;
  record.family = isIpv6 ? 6 : 4;
  record.state = sock.state;
  record.localPort = sock.localPort;
  record.remotePort = sock.remotePort ?? 0;
  [record.local0, record.local1, record.local2, record.local3] = words(local);
  const remote = ipaddr.process(sock.remote ?? (isIpv6 ? '::' : '0.0.0.0'));
  [record.remote0, record.remote1, record.remote2, record.remote3] = words(remote);
  record.v6only = sock.v6only ?? false;
  record.timeWaitAgeMs = sock.timeWaitAgeMs ?? -1;
  record.inode = sock.inode ?? (sock.state === TIME_WAIT ? 0 : 1);
  const cgroupId = BigInt(sock.cgroupId ?? 0);
  record.cgroupLow = Number(BigInt.asIntN(32, cgroupId));
  record.cgroupHigh = Number(BigInt.asIntN(32, cgroupId >> 32n));
  record.receiveQueue = sock.receiveQueue ?? -1;
  record.backlogLimit = sock.backlogLimit ?? -1;
  record.drops = sock.drops ?? -1;
  record.id = sock.id ?? ++lastId;
  record.device = sock.device ?? 0;
  record.vrf = sock.vrf ?? 0;
  return record;
}

/** Sysctls of a range; the rest is what Linux has by default. */
export function sysctlsOf(first: number, last: number, others: Partial<PortSysctls> = {}): PortSysctls {
  const defaults = {
    reserved: [],
    twReuse: 2,
    timestamps: true,
    twReuseDelayMs: 1000,
    l3mdevAccept: false,
  } as const;
  return { range: { first, last }, ...defaults, ...others };
}

export function familyOf(address: string): Family {
  return ipaddr.process(address).kind() === 'ipv6' ? 6 : 4;
}

function words(address: ipaddr.IPv4 | ipaddr.IPv6): [number, number, number, number] {
  const view = new DataView(Uint8Array.from([...address.toByteArray(), ...Array(12).fill(0)]).buffer);
  return [view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12)];
}
