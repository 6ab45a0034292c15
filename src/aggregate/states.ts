import { type Family, TcpState } from '../sockets/record.ts';

/** `include/net/tcp_states.h` in lower case; a socket that only did bind() is what ss calls bound-inactive. */
const TCP_STATE_NAMES: readonly (readonly [number, string])[] = [
  [TcpState.ESTABLISHED, 'established'],
  [TcpState.SYN_SENT, 'syn_sent'],
  [TcpState.SYN_RECV, 'syn_recv'],
  [TcpState.FIN_WAIT1, 'fin_wait1'],
  [TcpState.FIN_WAIT2, 'fin_wait2'],
  [TcpState.TIME_WAIT, 'time_wait'],
  [TcpState.CLOSE_WAIT, 'close_wait'],
  [TcpState.LAST_ACK, 'last_ack'],
  [TcpState.CLOSING, 'closing'],
];
const LISTEN = [TcpState.LISTEN, 'listen'] as const;
const BOUND_INACTIVE = [TcpState.CLOSE, 'bound_inactive'] as const;
const UDP_STATE_NAMES: readonly (readonly [number, string])[] = [
  [TcpState.ESTABLISHED, 'established'],
  [TcpState.CLOSE, 'unconnected'],
];

export interface SocketCount {
  readonly family: 'ipv4' | 'ipv6';
  readonly state: string;
  readonly count: number;
}

export interface ConnectionCount {
  readonly direction: 'inbound' | 'outbound';
  readonly state: string;
  readonly count: number;
}

/** Sockets by two things: which of two groups, and the state. */
export class StateCounts {
  readonly #counts = [new Uint32Array(16), new Uint32Array(16)] as const;

  add(group: 0 | 1, state: number): void {
    // The kernel reports a request socket as SYN_RECV; its own name for it, 12, is the same to everyone else.
    const known = state === TcpState.NEW_SYN_RECV ? TcpState.SYN_RECV : state & 15;
    const counts = this.#counts[group];
    counts[known] = (counts[known] as number) + 1;
  }

  count(group: 0 | 1, state: number): number {
    return this.#counts[group][state] as number;
  }

  get total(): number {
    let total = 0;
    for (const counts of this.#counts) for (const count of counts) total += count;
    return total;
  }
}

/** Group of StateCounts for a socket's family. */
export function familyGroup(family: Family): 0 | 1 {
  return family === 4 ? 0 : 1;
}

/** Every TCP state of both families, zeros included; bound-only sockets left out where the source cannot see them. */
export function tcpSocketCounts(counts: StateCounts, seesBoundOnly: boolean): SocketCount[] {
  return socketCounts(counts, [...TCP_STATE_NAMES, LISTEN, ...(seesBoundOnly ? [BOUND_INACTIVE] : [])]);
}

export function udpSocketCounts(counts: StateCounts): SocketCount[] {
  return socketCounts(counts, UDP_STATE_NAMES);
}

/** Group 0 is inbound, 1 outbound. */
export function connectionCounts(counts: StateCounts): ConnectionCount[] {
  return (['inbound', 'outbound'] as const).flatMap((direction, group) =>
    TCP_STATE_NAMES.map(([state, name]) => ({
      direction,
      state: name,
      count: counts.count(group === 0 ? 0 : 1, state),
    })),
  );
}

function socketCounts(counts: StateCounts, names: readonly (readonly [number, string])[]): SocketCount[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family, group) =>
    names.map(([state, name]) => ({ family, state: name, count: counts.count(group === 0 ? 0 : 1, state) })),
  );
}
