import { describe, expect, it } from 'vitest';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, tallyTcp, tallyUdp } from './world.ts';

const { ESTABLISHED, CLOSE } = TcpState;
const sysctls = sysctlsOf(40_000, 40_099);

/** Five destinations, the n-th with n ports; the same on as many local addresses. */
const tcp = [3, 1, 5, 2, 4].flatMap((count) =>
  Array.from(
    { length: count },
    (_, index): Sock => ({
      state: ESTABLISHED,
      local: `10.0.0.${count}`,
      localPort: 40_000 + 2 * index,
      remote: '10.0.1.1',
      remotePort: 443,
    }),
  ),
);

describe('open-ended tables', () => {
  it('show the fullest first, and count the others', () => {
    const { destinations, localAddresses } = tallyTcp(
      { sysctls, tcp, udp: [] },
      { destinations: 2, localAddresses: 3 },
    );
    expect(destinations.total).toBe(5);
    expect(destinations.fullest.map(({ localAddress, available }) => [localAddress, available])).toEqual([
      ['10.0.0.5', 95],
      ['10.0.0.4', 96],
    ]);
    expect(localAddresses.total).toBe(5);
    expect(localAddresses.fullest.map(({ localAddress, used }) => [localAddress, used])).toEqual([
      ['10.0.0.5', 5],
      ['10.0.0.4', 4],
      ['10.0.0.3', 3],
    ]);
  });

  it('of destinations with equally few ports left show the one that holds more', () => {
    const blocking = { state: TcpState.LISTEN, local: '10.9.9.9', localPort: 40_010 };
    const on = (remote: string, ...ports: number[]) =>
      ports.map(
        (localPort): Sock => ({ state: ESTABLISHED, local: '10.0.0.1', localPort, remote, remotePort: 443 }),
      );
    const held = [...on('10.0.1.1', 40_000), ...on('10.0.1.2', 40_000, 40_010), ...on('10.0.1.3', 40_002)];
    const { destinations } = tallyTcp({ sysctls, tcp: [blocking, ...held], udp: [] });
    expect(destinations.fullest.map(({ remoteAddress, available }) => [remoteAddress, available])).toEqual([
      ['10.0.1.2', 98],
      ['10.0.1.1', 98],
      ['10.0.1.3', 98],
    ]);
  });

  it('know the worst even where nothing of them is shown', () => {
    const snapshot = tallyTcp(
      { sysctls, tcp, udp: [] },
      { destinations: 0, localAddresses: 0, listeners: 0 },
    );
    expect([snapshot.connect.available, snapshot.bind.available]).toEqual([95, 95]);
    expect([snapshot.destinations.fullest, snapshot.localAddresses.fullest]).toEqual([[], []]);
    const udp = tcp.map((sock) => ({ ...sock, state: CLOSE }));
    expect(tallyUdp({ sysctls, tcp: [], udp }, { localAddresses: 0 })).toMatchObject({
      bind: { available: 95 },
      localAddresses: { total: 5, fullest: [] },
    });
  });

  it('split what a destination holds by state', () => {
    const states = [ESTABLISHED, ESTABLISHED, TcpState.TIME_WAIT, TcpState.SYN_SENT, TcpState.CLOSE_WAIT];
    const one = states.map(
      (state, index): Sock => ({
        ...{ state, local: '10.0.0.1', localPort: 40_000 + 2 * index, remote: '10.0.1.1', remotePort: 443 },
        timeWaitAgeMs: state === TcpState.TIME_WAIT ? 2000 : -1,
      }),
    );
    const reuse = sysctlsOf(40_000, 40_099, { twReuse: 1 });
    expect(tallyTcp({ sysctls: reuse, tcp: one, udp: [] }).destinations.fullest).toEqual([
      {
        ...{ localAddress: '10.0.0.1', remoteAddress: '10.0.1.1', remotePort: 443 },
        ...{ deviceIndex: 0, device: '' },
        used: { established: 2, timeWait: 1, other: 2 },
        ...{ reclaimable: 1, available: 96, ratio: 1 - 96 / 100 },
      },
    ]);
  });

  it('keep apart more destinations than a table begins with', () => {
    const many = Array.from(
      { length: 1000 },
      (_, index): Sock => ({
        ...{ state: ESTABLISHED, local: '10.0.0.1', localPort: 40_000 + 2 * (index % 40) },
        ...{ remote: '10.0.1.1', remotePort: 2000 + index },
      }),
    );
    const { destinations, connect } = tallyTcp(
      { sysctls, tcp: [...many, ...tcp], udp: [] },
      { destinations: 2000, localAddresses: 0 },
    );
    expect(destinations.total).toBe(1005);
    expect(connect.available).toBe(95);
    expect(destinations.fullest.filter(({ available }) => available === 99)).toHaveLength(1001);
  });
});
