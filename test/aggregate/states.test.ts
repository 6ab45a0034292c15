import { describe, expect, it } from 'vitest';
import { Destinations } from '../../src/aggregate/destinations.ts';
import { emptyInferenceState } from '../../src/aggregate/inferenceState.ts';
import { ephemeralRange } from '../../src/aggregate/range.ts';
import { TcpSockets } from '../../src/aggregate/tcp.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { LIMITS, type Sock, sysctlsOf, tallyTcp, tallyUdp, type World } from './world.ts';

const { ESTABLISHED, SYN_RECV, NEW_SYN_RECV, TIME_WAIT, CLOSE, LISTEN } = TcpState;
const sysctls = sysctlsOf(40_000, 40_099);
const to = { remote: '10.0.0.9', remotePort: 443 };
const EMPTY: World = { sysctls, tcp: [], udp: [] };

describe('sockets by state', () => {
  it('are there with 0, every state of both families', () => {
    const tcp = tallyTcp(EMPTY).sockets;
    expect(tcp).toHaveLength(22);
    expect(new Set(tcp.map(({ state }) => state))).toEqual(
      new Set([
        ...['established', 'syn_sent', 'syn_recv', 'fin_wait1', 'fin_wait2', 'time_wait', 'close_wait'],
        ...['last_ack', 'closing', 'listen', 'bound_inactive'],
      ]),
    );
    expect(tcp.every(({ count }) => count === 0)).toBe(true);
    expect(tallyUdp(EMPTY).sockets).toEqual([
      { family: 'ipv4', state: 'established', count: 0 },
      { family: 'ipv4', state: 'unconnected', count: 0 },
      { family: 'ipv6', state: 'established', count: 0 },
      { family: 'ipv6', state: 'unconnected', count: 0 },
    ]);
  });

  it('count a mapped socket under ipv6, whatever it shares with IPv4', () => {
    const snapshot = tallyTcp({
      ...EMPTY,
      tcp: [
        { state: ESTABLISHED, local: '10.0.0.1', localPort: 40_000, ...to },
        { state: ESTABLISHED, local: '::ffff:10.0.0.1', localPort: 40_002, ...to, remote: '::ffff:10.0.0.9' },
        { state: CLOSE, local: '::', localPort: 40_004 },
        { state: LISTEN, local: '0.0.0.0', localPort: 80 },
      ],
    });
    expect(nonZero(snapshot.sockets)).toEqual([
      'ipv4 established 1',
      'ipv4 listen 1',
      'ipv6 established 1',
      'ipv6 bound_inactive 1',
    ]);
    expect(snapshot.sampledSockets).toBe(4);
    expect(snapshot.destinations.total).toBe(1);
  });

  it('take a request socket for SYN_RECV', () => {
    const tcp = [SYN_RECV, NEW_SYN_RECV].map(
      (state): Sock => ({ state, local: '10.0.0.1', localPort: 80, ...to }),
    );
    expect(nonZero(tallyTcp({ ...EMPTY, tcp }).sockets)).toEqual(['ipv4 syn_recv 2']);
  });

  it('of UDP are connected or not', () => {
    const udp = [
      { state: ESTABLISHED, local: '10.0.0.1', localPort: 40_000 },
      { state: CLOSE, local: '::', localPort: 53 },
    ];
    const snapshot = tallyUdp({ ...EMPTY, udp });
    expect(nonZero(snapshot.sockets)).toEqual(['ipv4 established 1', 'ipv6 unconnected 1']);
    expect(snapshot.sampledSockets).toBe(2);
  });
});

describe('connections by state', () => {
  it('are there with 0, both directions, without listeners and bound-only sockets', () => {
    const { connections } = tallyTcp(EMPTY);
    expect(connections).toHaveLength(18);
    expect(connections.map(({ state }) => state)).not.toContain('listen');
    expect(connections.map(({ state }) => state)).not.toContain('bound_inactive');
  });

  it('are inbound where a listener has their address and port, families together', () => {
    const tcp = [
      { state: LISTEN, local: '::', localPort: 80 },
      { state: ESTABLISHED, local: '10.0.0.1', localPort: 80, ...to },
      { state: ESTABLISHED, local: 'fd00::1', localPort: 80, remote: 'fd00::9', remotePort: 1 },
      { state: TIME_WAIT, local: '10.0.0.1', localPort: 40_000, ...to },
      { state: CLOSE, local: '10.0.0.1', localPort: 40_002 },
    ];
    const counts = tallyTcp({ ...EMPTY, tcp }).connections.filter(({ count }) => count > 0);
    expect(counts).toEqual([
      { direction: 'inbound', state: 'established', count: 2 },
      { direction: 'outbound', state: 'time_wait', count: 1 },
    ]);
  });
});

describe('where bound-only sockets cannot be seen', () => {
  it('they are absent, and not 0', () => {
    const tally = new TcpSockets(ephemeralRange(sysctls), sysctls, new Destinations());
    const { snapshot } = tally.summarise({
      ...{ limits: LIMITS, seesBoundOnly: false, memory: emptyInferenceState() },
    });
    expect(snapshot.blocked).toEqual({ listener: 0, bound: undefined, inferred: 0 });
    expect(snapshot.sockets.map(({ state }) => state)).not.toContain('bound_inactive');
  });
});

function nonZero(counts: readonly { family: string; state: string; count: number }[]): string[] {
  return counts
    .filter(({ count }) => count > 0)
    .map(({ family, state, count }) => `${family} ${state} ${count}`);
}
