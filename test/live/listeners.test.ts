import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Actor } from './support/actor.ts';
import { newWorld, times } from './support/exact.ts';
import { type Exporter, newExporter, sampled } from './support/exporter.ts';
import { raiseDescriptorLimit } from './support/limits.ts';
import { LSOF_IS_MISSING, lsofListeners, type SsSocket, serviceName, ss } from './support/peers.ts';
import { close, sendTo, setReceiveBuffer, socketFor } from './support/posix.ts';
import { describeLive } from './support/privilege.ts';
import type { World } from './support/world.ts';

const NOBODY = 65_534;

describeLive('Listeners: what ss, lsof and getent say in the same moment', () => {
  it('TCP: addresses, ports, services, processes, queues, limits and drops as ss -ltnpm', async () => {
    await openEverything(newWorld());
    const exporter = await sampled();
    const rows = ss('-ltnpm');
    expect(rows).toHaveLength(10);
    expect(exported(exporter, 'tcp')).toEqual(expectedOf(rows, 'tcp'));
  });

  it('UDP: those of ss -lunpm that no automatic choice explains', async () => {
    await openEverything(newWorld());
    const exporter = await sampled();
    const rows = ss('-lunpm').filter(({ port }) => port < 40_000 || port > 40_099);
    expect(rows).toHaveLength(4);
    expect(exported(exporter, 'udp')).toEqual(
      expectedOf(
        rows.map((row) => ({ ...row, receiveQueue: Number.NaN, sendQueue: Number.NaN })),
        'udp',
      ),
    );
  });

  it.skipIf(LSOF_IS_MISSING && process.env['CI'] !== 'true')(
    'commands and users as lsof -nP -iTCP -sTCP:LISTEN (needs lsof)',
    async () => {
      await openEverything(newWorld());
      const exporter = await sampled();
      const shown = exporter
        .series('port_listener_info', { protocol: 'tcp' })
        .map(({ labels: { address, port, process, user } }) => [address, Number(port), process, user].join());
      const told = lsofListeners().map(({ address, port, command, user }) =>
        [address, port, command, user].join(),
      );
      expect(shown.toSorted()).toEqual(told.toSorted());
      expect(shown.filter((line) => line.endsWith(',nobody'))).toHaveLength(2);
    },
  );

  it('counts sockets by the family they were opened with, as ss -4 and ss -6', async () => {
    await openEverything(newWorld());
    const exporter = await sampled();
    for (const family of [4, 6]) {
      expect(exporter.value('port_listeners', { protocol: 'tcp', family: `ipv${family}` })).toBe(
        ss('-ltn', `-${family}`).length,
      );
    }
  });
});

describeLive('Listeners: the accept queue', () => {
  it('is what waits; accepted connections are counted apart', async () => {
    const world = newWorld();
    const server = world.listen('127.0.0.1', 8001, { backlog: 7, nonBlocking: true });
    times(5, () => world.connect('127.0.0.1', 8001));
    world.acceptWaiting(server, 3);
    const exporter = await sampled();
    expect(listener(exporter, 8001)).toEqual({ queue: 2, limit: 7, connections: 3, dropped: 0 });
    world.acceptWaiting(server);
    await exporter.sample();
    expect(listener(exporter, 8001)).toEqual({ queue: 0, limit: 7, connections: 5, dropped: 0 });
  });

  it('takes one more than its limit; what then knocks is dropped and counted', async () => {
    const world = newWorld();
    const server = world.listen('127.0.0.1', 8001, { backlog: 1, nonBlocking: true });
    const exporter = newExporter();
    times(2, () => world.connect('127.0.0.1', 8001));
    await exporter.sample();
    expect(listener(exporter, 8001)).toEqual({ queue: 2, limit: 1, connections: 0, dropped: 0 });

    times(5, () => world.knock('127.0.0.1', 8001));
    const first = await sampleAsDropped(exporter, '-ltnm', 8001);
    expect(first).toBeGreaterThanOrEqual(5);
    times(3, () => world.knock('127.0.0.1', 8001));
    expect(await sampleAsDropped(exporter, '-ltnm', 8001)).toBeGreaterThanOrEqual(first + 3);

    // A counter stays where it is when the cause is gone.
    world.acceptWaiting(server);
    expect(await sampleAsDropped(exporter, '-ltnm', 8001)).toBeGreaterThanOrEqual(first + 3);
    expect(listener(exporter, 8001).connections).toBeGreaterThanOrEqual(2);
  });

  it('is limited by net.core.somaxconn', async () => {
    const world = newWorld();
    world.sysctl('net.core.somaxconn', '100');
    world.listen('127.0.0.1', 8001, { backlog: 4096 });
    expect(listener(await sampled(), 8001).limit).toBe(100);
  });

  it('connections that only TIME_WAIT is left of, and those nobody accepted before they ended, are none', async () => {
    const world = newWorld();
    const server = world.listen('127.0.0.1', 8001, { nonBlocking: true });
    const gone = world.connect('127.0.0.1', 8001);
    times(1, () => world.acceptWaiting(server).forEach((fd) => void world.end(fd)));
    world.end(gone);
    world.end(world.connect('127.0.0.1', 8001));
    const exporter = await sampled();
    expect(exporter.value('port_connections', { direction: 'inbound', state: 'time_wait' })).toBe(1);
    expect(exporter.value('port_connections', { direction: 'inbound', state: 'close_wait' })).toBe(1);
    expect(listener(exporter, 8001)).toMatchObject({ queue: 1, connections: 0 });
  });
});

describeLive('Listeners: several sockets on one address and port (SO_REUSEPORT)', () => {
  it('are one series: queues, limits and connections added up', async () => {
    const world = newWorld();
    const servers = [10, 20, 30, 40].map((backlog) =>
      world.listen('127.0.0.1', 8001, { backlog, reusePort: true, nonBlocking: true }),
    );
    times(12, () => world.connect('127.0.0.1', 8001));
    const accepted = servers.flatMap((server) => world.acceptWaiting(server, 1)).length;
    const exporter = await sampled();
    expect(exporter.series('port_listener_info')).toHaveLength(1);
    expect(exporter.value('port_listeners', { protocol: 'tcp', family: 'ipv4' })).toBe(4);
    const waiting = ss('-ltn').reduce((sum, { receiveQueue }) => sum + receiveQueue, 0);
    expect(waiting).toBe(12 - accepted);
    expect(listener(exporter, 8001)).toEqual({
      queue: waiting,
      limit: 100,
      connections: accepted,
      dropped: 0,
    });
  });

  it('drops too', async () => {
    const world = newWorld();
    times(2, () => world.listen('127.0.0.1', 8001, { backlog: 1, reusePort: true }));
    times(40, () => world.knock('127.0.0.1', 8001));
    // Each of the two keeps two.
    expect(await sampleAsDropped(newExporter(), '-ltnm', 8001)).toBeGreaterThanOrEqual(36);
  });

  it('drops do not fall when one of them closes', async () => {
    const world = newWorld();
    const sockets = [0, 1].map(() => world.listen('127.0.0.1', 8001, { backlog: 1, reusePort: true }));
    times(40, () => world.knock('127.0.0.1', 8001));
    const exporter = newExporter();
    const before = await sampleAsDropped(exporter, '-ltnm', 8001);
    world.end(sockets[0] as number);
    await exporter.sample();
    expect(exporter.value('port_listener_dropped_total', { port: 8001 })).toBeGreaterThanOrEqual(before);
    // It begins anew once nobody listens there.
    world.end(sockets[1] as number);
    await exporter.sample();
    expect(exporter.value('port_listener_dropped_total', { port: 8001 })).toBeUndefined();
    world.listen('127.0.0.1', 8001);
    await exporter.sample();
    expect(exporter.value('port_listener_dropped_total', { port: 8001 })).toBe(0);
  });

  it('the exact address takes a connection before the wildcard does', async () => {
    const world = newWorld();
    const exact = world.listen('127.0.0.1', 8001, { reusePort: true, nonBlocking: true });
    const wildcard = world.listen('0.0.0.0', 8001, { reusePort: true, nonBlocking: true });
    times(3, () => world.connect('127.0.0.1', 8001));
    times(2, () => world.connect('127.0.0.2', 8001));
    expect(world.acceptWaiting(exact)).toHaveLength(3);
    expect(world.acceptWaiting(wildcard)).toHaveLength(2);
    const exporter = await sampled();
    const connections = (address: string) => exporter.value('port_listener_connections', { address });
    expect([connections('127.0.0.1'), connections('0.0.0.0')]).toEqual([3, 2]);
  });
});

describeLive('Listeners: families', () => {
  it('dual-stack takes both; IPv6-only leaves IPv4 to another, and each has its own', async () => {
    const world = newWorld();
    const dual = world.listen('::', 8001, { nonBlocking: true });
    const only6 = world.listen('::', 8002, { v6only: true, nonBlocking: true });
    const only4 = world.listen('0.0.0.0', 8002, { nonBlocking: true });
    for (const port of [8001, 8002]) {
      times(3, () => world.connect('127.0.0.1', port));
      times(2, () => world.connect('::1', port));
    }
    const accepted = [dual, only6, only4].map((server) => world.acceptWaiting(server).length);
    expect(accepted).toEqual([5, 2, 3]);
    const exporter = await sampled();
    const connections = (address: string, port: number) =>
      exporter.value('port_listener_connections', { address, port });
    expect([connections('::', 8001), connections('::', 8002), connections('0.0.0.0', 8002)]).toEqual([
      5, 2, 3,
    ]);
    expect(exporter.value('port_connections', { direction: 'inbound', state: 'established' })).toBe(10);
  });

  it('a mapped address is IPv4, of a socket that was opened as IPv6', async () => {
    const world = newWorld();
    const server = world.listen('::ffff:127.0.0.1', 8001, { nonBlocking: true });
    times(2, () => world.knock('127.0.0.1', 8001));
    expect(world.acceptWaiting(server)).toHaveLength(2);
    const exporter = await sampled();
    expect(exporter.value('port_listener_connections', { address: '127.0.0.1', port: 8001 })).toBe(2);
    expect(exporter.value('port_listeners', { protocol: 'tcp', family: 'ipv6' })).toBe(1);
    expect(exporter.value('port_listeners', { protocol: 'tcp', family: 'ipv4' })).toBe(0);
  });
});

describeLive('Listeners: the ephemeral range', () => {
  it('flags a port that automatic choice may take: not outside, not reserved', async () => {
    const world = newWorld({ reserved: '40020' });
    for (const port of [8001, 40_010, 40_020, 40_100]) world.listen('127.0.0.1', port);
    const exporter = await sampled();
    const flags = [8001, 40_010, 40_020, 40_100].map((port) =>
      exporter.value('port_listener_in_ephemeral_range', { port }),
    );
    expect(flags).toEqual([0, 1, 0, 0]);
    expect(exporter.value('port_ephemeral_blocked_ports', { evidence: 'listener' })).toBe(1);
  });
});

describeLive('Listeners: UDP', () => {
  it('a server is unconnected, and on a port outside the range or shared', async () => {
    const world = newWorld();
    world.bound('127.0.0.1', 53, { type: 'udp' });
    times(2, () => world.bound('127.0.0.1', 40_020, { type: 'udp', reusePort: true }));
    // Clients: one that may have asked for its port or not (first, lest an automatic one takes it), and
    // connected ones and one bound with an automatic port.
    world.bound('127.0.0.1', 40_030, { type: 'udp' });
    world.connectUdp('127.0.0.1', 53);
    world.sendUdp('127.0.0.1', 53);
    world.bound('127.0.0.1', 0, { type: 'udp' });
    const exporter = await sampled();
    const ports = exporter
      .series('port_listener_info', { protocol: 'udp' })
      .map(({ labels }) => labels['port']);
    expect(ports.toSorted()).toEqual(['40020', '53']);
    expect(exporter.value('port_listeners', { protocol: 'udp', family: 'ipv4' })).toBe(3);
    expect(exporter.value('port_listener_in_ephemeral_range', { protocol: 'udp', port: 40_020 })).toBe(1);
    for (const metric of ['accept_queue', 'accept_queue_limit', 'connections']) {
      expect(exporter.values(`port_listener_${metric}`, { protocol: 'udp' })).toEqual([]);
    }
  });

  it('datagrams that the receive buffer has no room for are dropped and counted', async () => {
    const world = newWorld();
    const server = world.bound('127.0.0.1', 53, { type: 'udp' });
    setReceiveBuffer(server, 1);
    const exporter = newExporter();
    expect(await sampleAsDropped(exporter, '-lunm', 53)).toBe(0);
    send(50);
    const first = await sampleAsDropped(exporter, '-lunm', 53);
    expect(first).toBeGreaterThan(0);
    send(10);
    expect(await sampleAsDropped(exporter, '-lunm', 53)).toBe(first + 10);

    function send(count: number): void {
      const fd = socketFor('127.0.0.1', 'udp');
      times(count, () => sendTo(fd, '127.0.0.1', 53, 1000));
      close(fd);
    }
  });
});

describeLive('Listeners: --listeners.limit', () => {
  it('of 10 000 the fullest are exported, and what is left out is counted', async () => {
    const world = newWorld();
    raiseDescriptorLimit(12_000);
    times(10_000, (i) => world.listen('127.0.0.1', 10_000 + i));
    times(3, () => world.connect('127.0.0.1', 19_999));
    world.connect('127.0.0.1', 19_000);
    const exporter = await sampled({
      limits: { destinations: 20, localAddresses: 20, listeners: 500, owners: 20, snat: 20 },
    });
    const exportedPorts = exporter.series('port_listener_info').map(({ labels }) => Number(labels['port']));
    expect(exportedPorts).toHaveLength(500);
    expect(exportedPorts.slice(0, 3)).toEqual([19_999, 19_000, 10_000]);
    expect(exporter.value('port_listeners', { protocol: 'tcp', family: 'ipv4' })).toBe(10_000);
    for (const metric of PER_LISTENER) {
      expect(exporter.value('port_exporter_omitted_series', { metric }), metric).toBe(9500);
      expect(exporter.values(metric), metric).toHaveLength(500);
    }
    const held = exporter.series('port_listener_info', { process: processName() });
    expect(held).toHaveLength(500);
  });

  it('0 exports none and still counts them', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    world.bound('127.0.0.1', 53, { type: 'udp' });
    const exporter = await sampled({
      limits: { destinations: 20, localAddresses: 20, listeners: 0, owners: 20, snat: 20 },
    });
    expect(exporter.values('port_listener_info')).toEqual([]);
    expect(exporter.value('port_exporter_omitted_series', { metric: 'port_listener_info' })).toBe(2);
    expect(exporter.value('port_exporter_omitted_series', { metric: 'port_listener_connections' })).toBe(1);
    expect(exporter.value('port_listeners', { protocol: 'udp', family: 'ipv4' })).toBe(1);
  });
});

const PER_LISTENER = [
  'port_listener_info',
  'port_listener_accept_queue',
  'port_listener_accept_queue_limit',
  'port_listener_dropped_total',
  'port_listener_connections',
  'port_listener_in_ephemeral_range',
];

/** Listeners of every kind, held by this process and by one of another user, and UDP sockets that are none. */
async function openEverything(world: World): Promise<void> {
  world.listen('127.0.0.1', 22);
  world.listen('0.0.0.0', 80, { backlog: 3 });
  world.listen('::', 443);
  world.listen('::', 3306, { v6only: true });
  world.listen('0.0.0.0', 3306);
  world.listen('::1', 5432);
  world.listen('::ffff:127.0.0.1', 8080, { backlog: 1 });
  world.listen('127.0.0.3', 40_010);
  world.bound('127.0.0.1', 53, { type: 'udp' });
  world.bound('::', 5353, { type: 'udp' });
  world.bound('::', 123, { type: 'udp', v6only: true });
  world.bound('127.0.0.1', 0, { type: 'udp' });
  world.connectUdp('127.0.0.1', 53);
  const other = new Actor();
  await other.rename('someone else');
  await other.becomeUser(NOBODY);
  await other.listen('127.0.0.1', 6379);
  await other.listen('::1', 6380);
  await other.bindUdp('127.0.0.1', 8125);
  times(3, () => world.connect('127.0.0.1', 80));
  times(2, () => world.knock('127.0.0.1', 8080));
}

interface Row {
  readonly service: string;
  readonly process: string;
  readonly queue: number;
  readonly limit: number;
  readonly drops: number;
}

/** By `address port`; NaN for what is not exported. */
function exported(exporter: Exporter, protocol: 'tcp' | 'udp'): Record<string, Row> {
  const entries = exporter.series('port_listener_info', { protocol }).map(({ labels }) => {
    const { address = '', port = '', service = '', process = '' } = labels;
    const value = (name: string) => exporter.value(name, { protocol, address, port }) ?? Number.NaN;
    const row: Row = {
      service,
      process,
      queue: value('port_listener_accept_queue'),
      limit: value('port_listener_accept_queue_limit'),
      drops: value('port_listener_dropped_total'),
    };
    return [`${address} ${port}`, row] as const;
  });
  return Object.fromEntries(entries);
}

function expectedOf(rows: readonly SsSocket[], protocol: 'tcp' | 'udp'): Record<string, Row> {
  const entries = rows.map(({ address, port, holders, receiveQueue, sendQueue, drops = Number.NaN }) => {
    const row: Row = {
      service: serviceName(port, protocol),
      process: holders[0]?.name ?? '',
      queue: receiveQueue,
      limit: sendQueue,
      drops,
    };
    return [`${address} ${port}`, row] as const;
  });
  return Object.fromEntries(entries);
}

/** The numbers of the one TCP listener on this port. */
function listener(exporter: Exporter, port: number) {
  const value = (name: string) => exporter.value(name, { protocol: 'tcp', port }) ?? Number.NaN;
  return {
    queue: value('port_listener_accept_queue'),
    limit: value('port_listener_accept_queue_limit'),
    connections: value('port_listener_connections'),
    dropped: value('port_listener_dropped_total'),
  };
}

/**
 * Samples between two looks of ss that agree: whoever knocked in vain tries again now and then.
 *
 * @returns what the listeners on this port dropped, by ss and by the exporter
 */
async function sampleAsDropped(exporter: Exporter, flags: '-ltnm' | '-lunm', port: number): Promise<number> {
  const told = () =>
    ss(flags)
      .filter((row) => row.port === port)
      .reduce((sum, { drops }) => sum + (drops ?? Number.NaN), 0);
  let before = told();
  for (;;) {
    await exporter.sample();
    const after = told();
    if (after === before) break;
    before = after;
  }
  const protocol = flags === '-ltnm' ? 'tcp' : 'udp';
  const shown = exporter.value('port_listener_dropped_total', { protocol, port });
  expect(shown).toBe(before);
  return shown ?? Number.NaN;
}

function processName(): string {
  return readFileSync('/proc/self/comm', 'utf8').trimEnd();
}
