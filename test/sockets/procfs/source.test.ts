import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExporterError, KernelError } from '../../../src/base/errors.ts';
import { openProcfsSource } from '../../../src/sockets/procfs/source.ts';
import { TcpState } from '../../../src/sockets/record.ts';
import { HAS_IPV6, LiveSockets } from '../liveSockets.ts';
import { collect, portOf, type Row } from '../records.ts';

const FIXTURE = new URL('../../fixtures/proc', import.meta.url).pathname;
const STATE_NAMES = new Map<number, string>(Object.entries(TcpState).map(([name, number]) => [number, name]));

describe('a /proc of files', () => {
  it('is read whole', () => {
    const { listeners, connections, udp } = walk(FIXTURE);
    expect(listeners.map(({ local }) => local)).toEqual([
      '0.0.0.0:22',
      '127.0.0.1:6379',
      '127.0.0.53:53',
      '192.0.2.10:45678',
      '[::]:443',
      '[::]:22',
      '[::1]:50051',
    ]);
    expect(countBy(connections, (row) => `${row.socketFamily}/${row.family}`)).toEqual({
      '4/4': 54,
      '6/4': 13,
      '6/6': 17,
    });
    expect(countBy(connections, ({ state }) => STATE_NAMES.get(state) ?? '')).toEqual({
      ESTABLISHED: 59,
      SYN_SENT: 2,
      SYN_RECV: 1,
      FIN_WAIT1: 1,
      FIN_WAIT2: 1,
      TIME_WAIT: 17,
      CLOSE_WAIT: 2,
      LAST_ACK: 1,
    });
    expect(countBy(udp, (row) => `${row.socketFamily}/${row.family}`)).toEqual({
      '4/4': 7,
      '6/4': 1,
      '6/6': 4,
    });
  });

  it('knows its kind, and that it sees no bound-only socket', () => {
    const source = openProcfsSource(FIXTURE);
    expect(source).toMatchObject({ kind: 'procfs', sees: { boundOnly: false } });
    source.close();
  });
});

describe('a damaged /proc', () => {
  let procfs: string;
  beforeEach(() => {
    procfs = mkdtempSync(join(tmpdir(), 'port-exporter-proc-'));
    cpSync(FIXTURE, procfs, { recursive: true });
    return () => rmSync(procfs, { recursive: true });
  });

  it('without IPv6 has fewer sockets', () => {
    rmSync(join(procfs, 'net/tcp6'));
    rmSync(join(procfs, 'net/udp6'));
    const { listeners, connections, udp } = walk(procfs);
    expect([listeners, connections, udp].map(({ length }) => length)).toEqual([4, 54, 7]);
  });

  it.each(['tcp', 'udp'])('without %s is an error', (name) => {
    rmSync(join(procfs, 'net', name));
    expect(() => walk(procfs)).toThrow(
      new KernelError(`open() of ${procfs}/net/${name}`, constants.errno.ENOENT),
    );
  });

  it.each(['tcp', 'tcp6', 'udp', 'udp6'])('with an empty %s is an error', (name) => {
    truncateSync(join(procfs, 'net', name));
    expect(() => walk(procfs)).toThrow(
      new ExporterError(`${procfs}/net/${name} is empty: expected the header line`),
    );
  });

  it('with a directory for a table is an error', () => {
    rmSync(join(procfs, 'net/tcp'));
    mkdirSync(join(procfs, 'net/tcp'));
    expect(() => walk(procfs)).toThrow(
      new KernelError(`read() of ${procfs}/net/tcp`, constants.errno.EISDIR),
    );
  });

  it('with half a table is an error', () => {
    const path = join(procfs, 'net/tcp6');
    truncateSync(path, readFileSync(path).length - 20);
    expect(() => walk(procfs)).toThrow(/net\/tcp6 line 34: expected a newline, got "/);
  });

  it('is not read before this thread\u2019s own tables', () => {
    mkdirSync(join(procfs, 'thread-self'), { recursive: true });
    cpSync(join(procfs, 'net'), join(procfs, 'thread-self/net'), { recursive: true });
    writeFileSync(join(procfs, 'net/tcp'), 'another namespace');
    expect(walk(procfs).connections).toHaveLength(84);
  });

  it('leaves no descriptor open', () => {
    const before = openFiles(procfs);
    rmSync(join(procfs, 'net/udp'));
    expect(() => openProcfsSource(procfs)).toThrow(ExporterError);
    expect(openFiles(procfs)).toEqual(before);
  });
});

it('reads a table of many buffers, more than once', () => {
  const procfs = mkdtempSync(join(tmpdir(), 'port-exporter-proc-'));
  cpSync(FIXTURE, procfs, { recursive: true });
  const [header = '', ...lines] = readFileSync(join(FIXTURE, 'net/tcp'), 'latin1').trimEnd().split('\n');
  const connections = lines.slice(4);
  const many = Array.from({ length: 5000 }, (_, index) => connections[index % connections.length] ?? '');
  writeFileSync(join(procfs, 'net/tcp'), `${[header, ...lines.slice(0, 4), ...many].join('\n')}\n`);
  const source = openProcfsSource(procfs);
  for (let round = 0; round < 2; round++) {
    expect(collect((visit) => source.tcpListeners(visit))).toHaveLength(7);
    expect(collect((visit) => source.tcpConnections(visit))).toHaveLength(5030);
  }
  source.close();
  rmSync(procfs, { recursive: true });
});

describe('on the live kernel', () => {
  const live = new LiveSockets();
  beforeAll(async () => {
    const port = await live.listen({ host: '127.0.0.1' });
    await live.connect(port, '127.0.0.1');
    await live.leaveTimeWait(port, '127.0.0.1');
    await live.udp('udp4', '0.0.0.0');
    await live.connectedUdp('udp4', '127.0.0.1', 9);
    if (!HAS_IPV6) return;
    const port6 = await live.listen({ host: '::' });
    await live.connect(port6, '::1');
    await live.connect(port6, '::ffff:127.0.0.1');
    await live.leaveTimeWait(port6, '::1');
    await live.udp('udp6', '::1');
    await live.connectedUdp('udp6', '::ffff:127.0.0.1', 9);
  });
  afterAll(() => live.close());

  it.each(['tcp', 'tcp6'])('%s lists its listeners before everything else', (name) => {
    const states = table(`/proc/thread-self/net/${name}`).map((columns) => columns[3] === '0A');
    expect(states).toContain(true);
    expect(states.lastIndexOf(true)).toBeLessThan(states.includes(false) ? states.indexOf(false) : Infinity);
  });

  const { CI } = process.env;
  const hasSs = spawnSync('ss', ['-V']).status === 0;
  it.skipIf(!hasSs && CI !== 'true')('shows what ss shows (needs ss)', async () => {
    // A connection that ends passes states that are neither's: until both have looked at the same.
    await vi.waitFor(() => {
      const { listeners, connections, udp } = walk('/proc');
      expect([...listeners, ...connections].filter(isOurs).map(asSsPrints).sort()).toEqual(ss('-tanH'));
      expect(udp.filter(isOurs).map(asSsPrints).sort()).toEqual(ss('-uanH'));
    }, 5000);
  });

  function ss(flags: string): string[] {
    const { stdout } = spawnSync('ss', [flags], { encoding: 'utf8' });
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/\s+/));
    return rows
      .map(([state = '', , , local = '', remote = '']) => ({ state, local, remote }))
      .filter(isOurs)
      .map(({ state, local, remote }) => `${state} ${local} ${remote}`)
      .sort();
  }

  function isOurs({ local }: { local: string }): boolean {
    return live.ports.has(portOf(local));
  }
});

const SS_STATES = new Map([
  [TcpState.ESTABLISHED, 'ESTAB'],
  [TcpState.TIME_WAIT, 'TIME-WAIT'],
  [TcpState.CLOSE, 'UNCONN'],
  [TcpState.LISTEN, 'LISTEN'],
] as const satisfies [number, string][]) as ReadonlyMap<number, string>;

function asSsPrints(row: Row): string {
  const endpoint = (text: string) => {
    const port = portOf(text) === 0 ? '*' : String(portOf(text));
    const address = text.slice(0, text.lastIndexOf(':'));
    if (row.socketFamily === 6 && row.family === 4) return `[::ffff:${address}]:${port}`;
    const dualStack = address === '[::]' && row.state === TcpState.LISTEN;
    return `${dualStack ? '*' : address}:${port}`;
  };
  return `${SS_STATES.get(row.state)} ${endpoint(row.local)} ${endpoint(row.remote)}`;
}

function walk(procfs: string): { listeners: Row[]; connections: Row[]; udp: Row[] } {
  const source = openProcfsSource(procfs);
  try {
    return {
      listeners: collect((visit) => source.tcpListeners(visit)),
      connections: collect((visit) => source.tcpConnections(visit)),
      udp: collect((visit) => source.udp(visit)),
    };
  } finally {
    source.close();
  }
}

function table(path: string): string[][] {
  const [, ...lines] = readFileSync(path, 'latin1').trimEnd().split('\n');
  return lines.map((line) => line.trim().split(/\s+/));
}

function countBy(rows: Row[], key: (row: Row) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[key(row)] = (counts[key(row)] ?? 0) + 1;
  return counts;
}

/** Descriptors of this process under a directory. */
function openFiles(directory: string): string[] {
  const { stdout } = spawnSync('ls', ['-l', `/proc/${process.pid}/fd`], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes(directory));
}
