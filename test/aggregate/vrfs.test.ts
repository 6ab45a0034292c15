import { describe, expect, it } from 'vitest';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, tallyTcp } from './world.ts';

// What kernels give in the same states, test/live/devices.test.ts proves; most machines have no VRF to ask.
const RED = 111;
const IN_RED = { device: RED, vrf: RED };
/** A device that belongs to it. */
const ON_VA = { device: 101, vrf: RED };
const LINK = { state: TcpState.ESTABLISHED, local: '10.0.0.1', remote: '10.0.0.2', remotePort: 443 };
const ELSEWHERE = { ...LINK, remotePort: 80 };
const LISTENER = { state: TcpState.LISTEN, local: '0.0.0.0' };

function on(port: number, sock: Omit<Sock, 'localPort'>, more: Partial<Sock> = {}): Sock {
  return { ...sock, localPort: port, ...more };
}

const TCP = [
  on(40_002, LISTENER, IN_RED),
  on(40_001, LISTENER, ON_VA),
  on(40_005, LISTENER),
  on(40_000, LINK, IN_RED),
  on(40_000, ELSEWHERE, ON_VA),
  on(40_004, ELSEWHERE, ON_VA),
  on(40_002, LINK),
];

describe('a VRF', () => {
  it('has ports of its own, and its devices have the same', () => {
    const { destinations, connect, blocked, capacity } = tally({});
    expect(availableByDevice(destinations)).toEqual({ [RED]: 7, 101: 6, 0: 8 });
    expect(connect.available).toBe(6);
    expect(blocked).toEqual({ listener: 1, bound: 0, inferred: 0 });
    expect(capacity).toBe(9);
  });

  it('shares those of all with tcp_l3mdev_accept', () => {
    const { blocked, capacity } = tally({ l3mdevAccept: true });
    expect(blocked.listener).toBe(3);
    expect(capacity).toBe(7);
  });

  it('has destinations that count where none is shown', () => {
    const { destinations } = tally({}, 0);
    expect(destinations).toEqual({ total: 3, fullest: [] });
  });
});

function tally(others: Parameters<typeof sysctlsOf>[2], limit = 1000) {
  return tallyTcp({ sysctls: sysctlsOf(40_000, 40_009, others), tcp: TCP, udp: [] }, { destinations: limit });
}

function availableByDevice({ fullest }: ReturnType<typeof tally>['destinations']): Record<number, number> {
  return Object.fromEntries(fullest.map(({ deviceIndex, available }) => [deviceIndex, available]));
}
