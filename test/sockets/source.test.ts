import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { openBpfSource } from '../../src/sockets/bpf/openBpfSource.ts';
import { openNetlinkSource } from '../../src/sockets/netlink/source.ts';
import { openProcfsSource } from '../../src/sockets/procfs/source.ts';
import { TcpState } from '../../src/sockets/record.ts';
import type { SocketSource } from '../../src/sockets/source.ts';
import { sleepMs } from '../live/support/kernel.ts';
import { bash, HAS_IPV6, LiveSockets } from './liveSockets.ts';
import { collect, portOf, type Row } from './records.ts';

interface Contender {
  readonly name: string;
  readonly open: () => SocketSource;
  /** Whether it knows backlog limits, the drops of listeners, and IPV6_V6ONLY. */
  readonly knowsListeners: boolean;
}

const IS_ROOT = process.getuid?.() === 0;
const openBpf = () => openBpfSource({ procfs: '/proc', log: silentLogger });

const SOURCES: readonly Contender[] = [
  { name: 'netlink', open: () => openNetlinkSource(), knowsListeners: true },
  { name: 'procfs', open: () => openProcfsSource('/proc'), knowsListeners: false },
  ...(IS_ROOT ? [{ name: 'bpf', open: openBpf, knowsListeners: true }] : []),
];

const { ESTABLISHED, FIN_WAIT2, TIME_WAIT, CLOSE, LISTEN } = TcpState;
const live = new LiveSockets();
/** Ports of the listeners. */
const at = { v4: 0, any4: 0, v6: 0, dual: 0, only: 0, mapped: 0 };

beforeAll(async () => {
  at.v4 = await live.listen({ host: '127.0.0.1', backlog: 7 });
  at.any4 = await live.listen({ host: '0.0.0.0' });
  for (let i = 0; i < 3; i++) await live.connect(at.v4, '127.0.0.1');
  await live.leaveTimeWait(at.v4, '127.0.0.1');
  await live.udp('udp4', '0.0.0.0');
  await live.udp('udp4', '127.0.0.1');
  await live.connectedUdp('udp4', '127.0.0.1', 9);
  if (HAS_IPV6) {
    at.v6 = await live.listen({ host: '::1' });
    at.dual = await live.listen({ host: '::' });
    at.only = await live.listen({ host: '::', ipv6Only: true });
    at.mapped = await live.listen({ host: '::ffff:127.0.0.1' });
    await live.connect(at.v6, '::1');
    await live.connect(at.dual, '127.0.0.1');
    await live.connect(at.dual, '::1');
    await live.connect(at.v4, '::ffff:127.0.0.1');
    await live.connect(at.mapped, '::ffff:127.0.0.1');
    await live.leaveTimeWait(at.v6, '::1');
    await live.leaveTimeWait(at.dual, '::ffff:127.0.0.1');
    await live.udp('udp6', '::');
    await live.udp('udp6', '::1');
    await live.udp('udp6', '::ffff:127.0.0.1');
    await live.udp('udp6', '::', true);
    await live.connectedUdp('udp6', '::1', 9);
    await live.connectedUdp('udp6', '::ffff:127.0.0.1', 9);
  }
});

afterAll(() => live.close());

describe.each(SOURCES)('$name', ({ name, open, knowsListeners }) => {
  let source: SocketSource;
  beforeAll(() => {
    source = open();
  });
  afterAll(() => source.close());

  const listeners = () => listenersOf(source);
  const connections = () => connectionsOf(source);
  const udp = () => udpOf(source);

  it('says what it is', () => {
    expect(source.kind).toBe(name);
  });

  it('lists TCP listeners, each once and nothing else', () => {
    const rows = listeners();
    expect(rows.every(({ state }) => state === LISTEN)).toBe(true);
    const expected = [`4/4 127.0.0.1:${at.v4}`, `4/4 0.0.0.0:${at.any4}`];
    if (HAS_IPV6) {
      expected.push(`6/6 [::1]:${at.v6}`, `6/6 [::]:${at.dual}`, `6/6 [::]:${at.only}`);
      expected.push(`6/4 127.0.0.1:${at.mapped}`);
    }
    expect(rows.map((row) => `${families(row)} ${row.local}`).sort()).toEqual(expected.sort());
    expect(rows.every(({ remote }) => remote === '0.0.0.0:0' || remote === '[::]:0')).toBe(true);
  });

  it('tells backlog limits, drops and IPV6_V6ONLY of listeners, or that it does not know', () => {
    const byPort = new Map(listeners().map((row) => [portOf(row.local), row]));
    const plain = byPort.get(at.v4);
    expect(plain).toMatchObject({ v6only: false, receiveQueue: 0 });
    expect(plain).toMatchObject(
      knowsListeners ? { backlogLimit: 7, drops: 0 } : { backlogLimit: -1, drops: -1 },
    );
    if (!HAS_IPV6) return;
    expect(byPort.get(at.dual)?.v6only).toBe(false);
    expect(byPort.get(at.only)?.v6only).toBe(knowsListeners);
  });

  it('shows connections waiting to be accepted, with no inode', () => {
    bash(`exec 3<>/dev/tcp/127.0.0.1/${at.any4} 4<>/dev/tcp/127.0.0.1/${at.any4}`);
    const listener = listeners().find(({ local }) => portOf(local) === at.any4);
    expect(listener?.receiveQueue).toBe(2);
    const waiting = connections().filter(({ local }) => portOf(local) === at.any4);
    expect(waiting.map(({ inode, state }) => ({ inode, state }))).toEqual([
      { inode: 0, state: TcpState.CLOSE_WAIT },
      { inode: 0, state: TcpState.CLOSE_WAIT },
    ]);
  });

  it('lists connections from both ends, mapped ones as IPv4', () => {
    const rows = connections().filter(({ state }) => state === ESTABLISHED);
    const count = (wanted: string, key: 'local' | 'remote', port = 0) =>
      rows.filter((row) => families(row) === wanted && portOf(row[key]) === port).length;
    expect(count('4/4', 'local', at.v4)).toBe(HAS_IPV6 ? 4 : 3);
    expect(count('4/4', 'remote', at.v4)).toBe(3);
    if (HAS_IPV6) {
      expect(count('6/4', 'remote', at.v4)).toBe(1);
      expect([count('6/6', 'local', at.v6), count('6/6', 'remote', at.v6)]).toEqual([1, 1]);
      expect([count('6/4', 'local', at.dual), count('4/4', 'remote', at.dual)]).toEqual([1, 1]);
      expect([count('6/4', 'local', at.mapped), count('6/4', 'remote', at.mapped)]).toEqual([1, 1]);
    }
    expect(rows.every(({ inode, timeWaitAgeMs }) => inode > 0 && timeWaitAgeMs === -1)).toBe(true);
  });

  it('tells the age of TIME_WAIT, which grows', async () => {
    const [before] = timeWaits(connections());
    await new Promise((resolve) => setTimeout(resolve, 300));
    const rows = timeWaits(connections());
    expect(rows.length).toBe(HAS_IPV6 ? 3 : 1);
    expect(rows.every(({ inode }) => inode === 0)).toBe(true);
    const after = rows.find(({ local }) => local === before?.local);
    const grown = (after?.timeWaitAgeMs ?? 0) - (before?.timeWaitAgeMs ?? 0);
    expect(before?.timeWaitAgeMs).toBeGreaterThanOrEqual(0);
    expect(before?.timeWaitAgeMs).toBeLessThan(30_000);
    expect(grown).toBeGreaterThanOrEqual(280);
    expect(grown).toBeLessThan(10_000);
  });

  it('takes nothing else of what lingers in FIN_WAIT2 without a process for its cgroup', async () => {
    const port = await live.listen({ host: '127.0.0.1' });
    bash(`exec 3<>/dev/tcp/127.0.0.1/${port}`);
    const linger = () => {
      source.beginRound?.(EVERYTHING);
      return collect((visit) => source.tcpConnections(visit)).filter(
        ({ remote, state }) => portOf(remote) === port && state === FIN_WAIT2,
      );
    };
    // The FIN may be acknowledged a moment later. This thread waits: else it would accept, and answer with another.
    let lingering = linger();
    for (let waited = 0; lingering.length === 0 && waited < 2000; waited += 10) {
      sleepMs(10);
      lingering = linger();
    }
    expect(lingering).toMatchObject([{ cgroupId: '0', inode: 0, timeWaitAgeMs: -1 }]);
    live.ports.delete(port);
  });

  it('lists UDP sockets, connected and not', () => {
    const rows = udp();
    const shown = (state: number) => rows.filter((row) => row.state === state).map(families);
    expect(rows).toHaveLength(HAS_IPV6 ? 9 : 3);
    expect(shown(CLOSE).sort()).toEqual(
      HAS_IPV6 ? ['4/4', '4/4', '6/4', '6/6', '6/6', '6/6'] : ['4/4', '4/4'],
    );
    expect(shown(ESTABLISHED).sort()).toEqual(HAS_IPV6 ? ['4/4', '6/4', '6/6'] : ['4/4']);
    expect(rows.every(({ inode, timeWaitAgeMs }) => inode > 0 && timeWaitAgeMs === -1)).toBe(true);
    expect(rows.filter(({ state }) => state === CLOSE).every(({ drops }) => drops === 0)).toBe(true);
  });

  it('shows datagrams waiting in an unconnected UDP socket, and those dropped', async () => {
    const socket = await live.udp('udp4', '127.0.0.1');
    socket.setRecvBufferSize(2048);
    const { port } = socket.address();
    bash(`for i in {1..40}; do printf '%0500d' 0 >/dev/udp/127.0.0.1/${port}; done`);
    const row = udp().find(({ local }) => portOf(local) === port);
    socket.on('message', () => {});
    expect(row?.receiveQueue).toBeGreaterThan(0);
    expect(row?.drops).toBeGreaterThan(0);
    live.ports.delete(port);
  });

  it('sees what happened since the last walk', async () => {
    const port = await live.listen({ host: '127.0.0.1' });
    expect(listeners().some(({ local }) => portOf(local) === port)).toBe(true);
    live.ports.delete(port);
  });

  it('says the same as every other source', () => {
    const others = SOURCES.filter((other) => other.name !== name);
    const mine = [listeners(), connections(), udp()].map(comparable);
    for (const other of others.map(({ open: openOther }) => openOther())) {
      const theirs = [listenersOf(other), connectionsOf(other), udpOf(other)].map(comparable);
      other.close();
      expect(theirs).toEqual(mine);
    }
  });
});

function listenersOf(source: SocketSource): Row[] {
  source.beginRound?.(EVERYTHING);
  return ours(collect((visit) => source.tcpListeners(visit)));
}

function connectionsOf(source: SocketSource): Row[] {
  source.beginRound?.(EVERYTHING);
  return ours(collect((visit) => source.tcpConnections(visit)));
}

function udpOf(source: SocketSource): Row[] {
  source.beginRound?.(EVERYTHING);
  return ours(collect((visit) => source.udp(visit)));
}

const EVERYTHING = { inodes: true, cgroups: true };

/**
 * Rows with a port of this test: client ends and server ends of its connections both have one. A TIME_WAIT that somebody
 * else left behind can have one of them by chance, but not two.
 */
function ours(rows: Row[]): Row[] {
  return rows
    .filter(({ local }) => live.ports.has(portOf(local)))
    .filter(({ state, remote }) => state !== TIME_WAIT || live.ports.has(portOf(remote)));
}

function timeWaits(rows: Row[]): Row[] {
  return rows.filter(({ state }) => state === TIME_WAIT).sort((a, b) => (a.local < b.local ? -1 : 1));
}

/** `6/4`: opened as IPv6, in IPv4's space of ports. */
function families({ socketFamily, family }: Row): string {
  return `${socketFamily}/${family}`;
}

/**
 * Without what procfs cannot know, what changes with time, and the queues of connected sockets, which netlink's decoder
 * leaves out for speed.
 */
function comparable(rows: Row[]): string[] {
  return rows
    .map(({ backlogLimit, v6only, drops, receiveQueue, timeWaitAgeMs, cgroupId, ...row }) => ({
      ...row,
      receiveQueue: row.state === LISTEN || row.state === CLOSE ? receiveQueue : undefined,
      drops: row.state === CLOSE ? drops : undefined,
      hasAge: timeWaitAgeMs >= 0,
    }))
    .map((row) => JSON.stringify(row))
    .sort();
}
