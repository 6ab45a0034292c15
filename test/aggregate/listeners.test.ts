import { describe, expect, it } from 'vitest';
import { Listeners } from '../../src/aggregate/listeners.ts';
import { PortSet } from '../../src/aggregate/portSet.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, tallyTcp, tallyUdp, toRecord, type World } from './world.ts';

const { ESTABLISHED, SYN_RECV, TIME_WAIT, CLOSE, CLOSE_WAIT, FIN_WAIT2, LISTEN, LAST_ACK } = TcpState;
const USABLE = new PortSet(40_000, 40_099);
const LOCALS = ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'];

describe('a listener takes connections', () => {
  it.each([
    ['to its IPv4 address', '10.0.0.1', false, ['10.0.0.1', '::ffff:10.0.0.1']],
    ['to its mapped address', '::ffff:10.0.0.1', false, ['10.0.0.1', '::ffff:10.0.0.1']],
    ['to its IPv6 address', 'fd00::1', false, ['fd00::1']],
    ['of all IPv4', '0.0.0.0', false, ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2']],
    ['of all IPv4, mapped', '::ffff:0.0.0.0', false, ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2']],
    ['of both families', '::', false, LOCALS],
    ['of IPv6 only', '::', true, ['fd00::1', 'fd00::2']],
  ])('%s: %s', (_, address, v6only, taken) => {
    const listeners = new Listeners(USABLE);
    listeners.add(toRecord({ state: TcpState.LISTEN, local: address, localPort: 8080, v6only }));
    expect(LOCALS.filter((local) => listeners.accepts(connection(local, 8080)))).toEqual(taken);
    expect(LOCALS.filter((local) => listeners.accepts(connection(local, 8081)))).toEqual([]);
  });

  it('on every port there is', () => {
    const listeners = new Listeners(USABLE);
    for (const localPort of [1, 65_535]) {
      listeners.add(toRecord({ state: TcpState.LISTEN, local: '0.0.0.0', localPort }));
    }
    const accepted = [1, 2, 65_534, 65_535].filter((port) => listeners.accepts(connection('10.0.0.1', port)));
    expect(accepted).toEqual([1, 65_535]);
  });

  it('with the port of one and the address of another: no', () => {
    const listeners = new Listeners(USABLE);
    listeners.add(toRecord({ state: TcpState.LISTEN, local: '10.0.0.1', localPort: 80 }));
    listeners.add(toRecord({ state: TcpState.LISTEN, local: '10.0.0.2', localPort: 443 }));
    expect(listeners.accepts(connection('10.0.0.2', 80))).toBe(false);
    expect(listeners.accepts(connection('10.0.0.1', 443))).toBe(false);
  });
});

const sysctls = sysctlsOf(40_000, 40_099, { reserved: [[40_050, 40_054]] });

function listener(local: string, localPort: number, more: Partial<Sock> = {}): Sock {
  return { state: LISTEN, local, localPort, receiveQueue: 0, backlogLimit: 128, drops: 0, ...more };
}

function inbound(local: string, localPort: number, more: Partial<Sock> = {}): Sock {
  return { state: ESTABLISHED, local, localPort, remote: '192.0.2.7', remotePort: 5555, ...more };
}

/** Connections by the listener that they belong to. */
function connectionsOf(...tcp: Sock[]): Record<string, number | undefined> {
  const { fullest } = tallyTcp({ sysctls, tcp, udp: [] }).listeners;
  return Object.fromEntries(
    fullest.map(({ address, port, connections }) => [`${address} ${port}`, connections]),
  );
}

describe('a connection belongs to', () => {
  it('the listener on its very address, before the one on all', () => {
    const listeners = [listener('0.0.0.0', 80), listener('10.0.0.1', 80), listener('10.0.0.1', 81)];
    expect(connectionsOf(...listeners, inbound('10.0.0.1', 80), inbound('10.0.0.2', 80))).toEqual({
      '10.0.0.1 80': 1,
      '0.0.0.0 80': 1,
      '10.0.0.1 81': 0,
    });
  });

  it('the listener of its own family, before the one of both', () => {
    const listeners = [listener('::', 80), listener('0.0.0.0', 80)];
    const connections = [inbound('10.0.0.1', 80), inbound('::ffff:10.0.0.1', 80)];
    expect(
      connectionsOf(...listeners, ...connections, inbound('fd00::1', 80, { remote: 'fd00::2' })),
    ).toEqual({
      '0.0.0.0 80': 2,
      ':: 80': 1,
    });
  });

  it('the listener of both families where there is no other', () => {
    const listeners = [listener('::', 80), listener('::', 81, { v6only: true })];
    const connections = [80, 81].map((port) => inbound('10.0.0.1', port));
    expect(connectionsOf(...listeners, ...connections)).toEqual({ ':: 80': 1, ':: 81': 0 });
  });

  it('no listener, whose port only looks alike', () => {
    expect(connectionsOf(listener('127.0.0.1', 80), inbound('10.0.0.1', 80))).toEqual({ '127.0.0.1 80': 0 });
  });
});

describe('an accepted connection', () => {
  it.each([
    ['open', { state: ESTABLISHED }, 1],
    ['closed by the other side', { state: CLOSE_WAIT }, 1],
    ['closed by this side', { state: FIN_WAIT2 }, 1],
    ['closed by both, with nobody holding it', { state: LAST_ACK, inode: 0 }, 1],
    ['still being made', { state: SYN_RECV, inode: 0 }, 0],
    ['waiting for accept()', { state: ESTABLISHED, inode: 0 }, 0],
    ['waiting for accept(), closed by the other side', { state: CLOSE_WAIT, inode: 0 }, 0],
    ['over', { state: TIME_WAIT }, 0],
  ])('%s', (_, more, count) => {
    const tcp = [listener('0.0.0.0', 80), inbound('10.0.0.1', 80, more)];
    const snapshot = tallyTcp({ sysctls, tcp, udp: [] });
    expect(snapshot.listeners.fullest[0]?.connections).toBe(count);
    // It is inbound all the same, and takes nobody's ephemeral port.
    const sum = snapshot.connections
      .filter(({ direction }) => direction === 'inbound')
      .reduce((total, one) => total + one.count, 0);
    expect([sum, snapshot.destinations.total]).toEqual([1, 0]);
  });
});

describe('several sockets on one address and port', () => {
  const shared = [
    listener('0.0.0.0', 80, { receiveQueue: 3, backlogLimit: 128, drops: 2, inode: 11, cgroupId: 5 }),
    listener('0.0.0.0', 80, {
      receiveQueue: 4,
      backlogLimit: 256,
      drops: 0,
      inode: 12,
      cgroupId: 2 ** 40 + 6,
    }),
    listener('::ffff:0.0.0.0', 80, { receiveQueue: 0, backlogLimit: 1, drops: 9, inode: 13 }),
  ];
  const one = (tcp: readonly Sock[]) => tallyTcp({ sysctls, tcp, udp: [] }).listeners;

  it('are one listener, added up', () => {
    const { counts, total, fullest } = one([...shared, inbound('10.0.0.1', 80), inbound('10.0.0.2', 80)]);
    expect({ counts, total }).toEqual({ counts: { ipv4: 2, ipv6: 1 }, total: 1 });
    expect(fullest).toEqual([
      {
        ...{ address: '0.0.0.0', port: 80, family: 4, ipv6Only: false, inEphemeralRange: false },
        ...{ acceptQueue: 7, acceptQueueLimit: 385, dropped: 11, connections: 2 },
        sockets: [
          { inode: 11, cgroupId: 5 },
          { inode: 12, cgroupId: 2 ** 40 + 6 },
          { inode: 13, cgroupId: undefined },
        ],
      },
    ]);
  });

  it('take IPv6 only where every one of them does', () => {
    const only = (...sockets: readonly boolean[]) =>
      one(sockets.map((v6only) => listener('::', 80, { v6only }))).fullest.map(({ ipv6Only }) => ipv6Only);
    expect(only(true, true)).toEqual([true]);
    expect(only(true, false)).toEqual([false]);
    expect(only(false, true)).toEqual([false]);
  });

  it.each([0, 1, 2])('have no sum of what is unknown of one of them: the %i.', (index) => {
    const unknown = { backlogLimit: -1, drops: -1 };
    const sockets = shared.map((socket, at) => (at === index ? { ...socket, ...unknown } : socket));
    expect(one(sockets).fullest[0]).toMatchObject({ acceptQueue: 7, connections: 0 });
    expect(one(sockets).fullest[0]?.acceptQueueLimit).toBeUndefined();
    expect(one(sockets).fullest[0]?.dropped).toBeUndefined();
  });
});

describe('listeners', () => {
  it('are shown the fullest queue first, then the most connections; all are counted', () => {
    const tcp = [
      listener('0.0.0.0', 1),
      listener('0.0.0.0', 2),
      listener('0.0.0.0', 3, { receiveQueue: 1 }),
      listener('::', 4, { receiveQueue: 7 }),
      inbound('10.0.0.1', 2),
    ];
    const ports = (limit: number) => {
      const { total, counts, fullest } = tallyTcp({ sysctls, tcp, udp: [] }, { listeners: limit }).listeners;
      expect([total, counts]).toEqual([4, { ipv4: 3, ipv6: 1 }]);
      return fullest.map(({ port }) => port);
    };
    expect(ports(1000)).toEqual([4, 3, 2, 1]);
    expect(ports(2)).toEqual([4, 3]);
    expect(ports(0)).toEqual([]);
  });

  it('are in the ephemeral range on usable ports, and not on reserved ones', () => {
    const tcp = [39_999, 40_000, 40_050, 40_099, 40_100].map((port) => listener('0.0.0.0', port));
    const { fullest } = tallyTcp({ sysctls, tcp, udp: [] }).listeners;
    expect(fullest.filter(({ inEphemeralRange }) => inEphemeralRange).map(({ port }) => port)).toEqual([
      40_000, 40_099,
    ]);
  });
});

describe('a UDP socket listens', () => {
  const udp = (local: string, localPort: number, more: Partial<Sock> = {}): Sock => ({
    ...{ state: CLOSE, local, localPort, receiveQueue: 4096, drops: 3, ...more },
  });
  const listening = (...sockets: Sock[]) => {
    const world: World = { sysctls, tcp: [], udp: sockets };
    return tallyUdp(world).listeners;
  };

  it('where it is unconnected, on a port that automatic choice does not give', () => {
    const found = listening(udp('0.0.0.0', 53), udp('::', 40_051), udp('10.0.0.1', 39_999));
    expect(found.fullest.map(({ address, port }) => `${address} ${port}`)).toEqual(
      ['10.0.0.1 39999', '0.0.0.0 53', ':: 40051'].toSorted(
        (a, b) => Number(a.split(' ')[1]) - Number(b.split(' ')[1]),
      ),
    );
    expect(found.counts).toEqual({ ipv4: 2, ipv6: 1 });
  });

  it('and has no queue of connections, but may have dropped datagrams', () => {
    expect(listening(udp('0.0.0.0', 53)).fullest).toEqual([
      {
        ...{ address: '0.0.0.0', port: 53, family: 4, ipv6Only: false, inEphemeralRange: false, dropped: 3 },
        ...{ acceptQueue: undefined, acceptQueueLimit: undefined, connections: undefined },
        sockets: [{ inode: 1, cgroupId: undefined }],
      },
    ]);
  });

  it('where several share a usable port: automatic choice gives each to one', () => {
    const found = listening(udp('0.0.0.0', 40_002), udp('0.0.0.0', 40_002), udp('0.0.0.0', 40_004));
    expect(found.fullest).toMatchObject([{ port: 40_002, inEphemeralRange: true, dropped: 6 }]);
    expect(found).toMatchObject({ total: 1, counts: { ipv4: 2, ipv6: 0 } });
  });

  it('not on a port that may have been chosen for it, and not connected', () => {
    const client = udp('0.0.0.0', 40_002);
    expect(listening(client, { ...udp('10.0.0.1', 53), state: ESTABLISHED })).toEqual({
      counts: { ipv4: 0, ipv6: 0 },
      total: 0,
      fullest: [],
    });
  });
});

function connection(local: string, localPort: number) {
  return toRecord({ state: TcpState.ESTABLISHED, local, localPort });
}
