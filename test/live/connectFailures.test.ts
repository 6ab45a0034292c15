import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { countedIn, failed, GIVEN_UP, LOOKS_REFUSED, newRefusals } from './support/counting.ts';
import { newWorld } from './support/exact.ts';
import { HAS_MULTIPATH, SLOWNESS, sleepMs } from './support/kernel.ts';
import { addTwinLinks } from './support/links.ts';
import * as posix from './support/posix.ts';
import { describeOverBpf } from './support/privilege.ts';
import { SERVER_PORT, untilRefused, type World } from './support/world.ts';

/** Where nobody listens. */
const CLOSED_PORT = 9;

interface Case {
  readonly act: (world: World) => unknown;
  /** What is counted of it; nothing by default. */
  readonly counted?: readonly object[];
}

const one = (ending: object) => [{ ending, count: 1 }];

/** A socket that waits for an answer which does not come: a SYN is dropped where too many wait for accept(). */
function connecting(world: World, options: { multipath?: boolean } = {}): number {
  world.listen('127.0.0.1', SERVER_PORT, { backlog: 0 });
  world.knock('127.0.0.1', SERVER_PORT);
  sleepMs(20);
  const fd = posix.socketFor('127.0.0.1', 'tcp', { nonBlocking: true, ...options });
  posix.startConnecting(fd, '127.0.0.1', SERVER_PORT);
  sleepMs(20);
  return fd;
}

function socket(
  address: string,
  act: (fd: number) => unknown,
  options: Parameters<typeof posix.socketFor>[2] = {},
): void {
  const fd = posix.socketFor(address, 'tcp', options);
  try {
    act(fd);
  } finally {
    posix.close(fd);
  }
}

function expectRefused(error: string, call: () => unknown): void {
  expect(untilRefused(call, 1)).toEqual({ succeeded: 0, error });
}

const refusedAt =
  (address: string, options: Parameters<typeof posix.socketFor>[2] = {}) =>
  () =>
    socket(
      address,
      (fd) => expectRefused('ECONNREFUSED', () => posix.connect(fd, address, CLOSED_PORT)),
      options,
    );

const CASES: Readonly<Record<string, Case>> = {
  'is refused by the other side': { act: refusedAt('127.0.0.1'), counted: one(failed('ECONNREFUSED')) },
  'is refused over IPv6': { act: refusedAt('::1'), counted: one(failed('ECONNREFUSED')) },
  'is refused at a mapped address': {
    act: refusedAt('::ffff:127.0.0.1'),
    counted: one(failed('ECONNREFUSED')),
  },
  'is refused from a port that the program chose': {
    act: () =>
      socket('127.0.0.1', (fd) => {
        posix.bind(fd, '127.0.0.1', 20_000);
        expectRefused('ECONNREFUSED', () => posix.connect(fd, '127.0.0.1', CLOSED_PORT));
      }),
    counted: one(failed('ECONNREFUSED')),
  },
  'is refused from a port of bind(address, 0)': {
    act: () =>
      socket('127.0.0.1', (fd) => {
        posix.bind(fd, '127.0.0.1', 0);
        expectRefused('ECONNREFUSED', () => posix.connect(fd, '127.0.0.1', CLOSED_PORT));
      }),
    counted: one(failed('ECONNREFUSED')),
  },
  'is refused while the program does something else, which asks again later': {
    act: () =>
      socket(
        '127.0.0.1',
        (fd) => {
          posix.startConnecting(fd, '127.0.0.1', CLOSED_PORT);
          sleepMs(20);
          expectRefused('ECONNREFUSED', () => posix.connect(fd, '127.0.0.1', CLOSED_PORT));
        },
        { nonBlocking: true },
      ),
    counted: one(failed('ECONNREFUSED')),
  },
  'is refused with data in its SYN': {
    act: () =>
      socket('127.0.0.1', (fd) =>
        expectRefused('ECONNREFUSED', () => posix.sendFastOpen(fd, '127.0.0.1', CLOSED_PORT)),
      ),
    counted: one(failed('ECONNREFUSED')),
  },
  'gets no answer': {
    act(world) {
      const fd = connecting(world);
      posix.close(fd);
      socket('127.0.0.1', (other) => {
        posix.setSynRetries(other, 1);
        posix.setUserTimeout(other, 500);
        expectRefused('ETIMEDOUT', () => posix.connect(other, '127.0.0.1', SERVER_PORT));
      });
    },
    counted: [...one(GIVEN_UP), ...one(failed('ETIMEDOUT'))],
  },
  'is ended by its program': {
    act: (world) => posix.close(connecting(world)),
    counted: one(GIVEN_UP),
  },
  'is shut down by its program': {
    act(world) {
      const fd = connecting(world);
      posix.shutdown(fd);
      posix.close(fd);
    },
    counted: one(GIVEN_UP),
  },
  'is taken back by its program': {
    act(world) {
      const fd = connecting(world);
      posix.disconnect(fd);
      posix.close(fd);
    },
    counted: one(GIVEN_UP),
  },
  'took its program too long': {
    act(world) {
      posix.close(connecting(world));
      socket('127.0.0.1', (fd) => {
        posix.setSendTimeout(fd, 50);
        expect(() => posix.connect(fd, '127.0.0.1', SERVER_PORT)).toThrow();
      });
    },
    counted: [{ ending: GIVEN_UP, count: 2 }],
  },
  'of MPTCP is ended by its program': {
    act: (world) => posix.close(connecting(world, { multipath: true })),
    counted: one(GIVEN_UP),
  },
  'of MPTCP is refused': {
    act: refusedAt('127.0.0.1', { multipath: true }),
    counted: one(failed('ECONNREFUSED')),
  },
  'waits for data that never come (TCP_FASTOPEN_CONNECT)': {
    act(world) {
      world.sysctl('net.ipv4.tcp_fastopen', '5');
      world.listen('127.0.0.1', SERVER_PORT);
      socket('127.0.0.1', (fd) => {
        posix.setFastOpenConnect(fd);
        posix.connect(fd, '127.0.0.1', SERVER_PORT);
      });
    },
    counted: one(GIVEN_UP),
  },
  'has chosen a port that a connection to this very destination has': {
    act(world) {
      world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', port: 20_000, reuseAddress: true });
      expectRefused('EADDRNOTAVAIL', () =>
        world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', port: 20_000, reuseAddress: true }),
      );
    },
    counted: one(failed('EADDRNOTAVAIL')),
  },
  'has no route': { act: () => expectUnrouted('unreachable', 'EHOSTUNREACH') },
  'is prohibited by a route': { act: () => expectUnrouted('prohibit', 'EACCES') },
  'ends in a black hole': { act: () => expectUnrouted('blackhole', 'EINVAL') },
  'has a source address that is nowhere': {
    act: () =>
      socket('127.0.0.1', (fd) => expectRefused('EADDRNOTAVAIL', () => posix.bind(fd, '192.0.2.77', 0))),
  },
  'has chosen a port that is in use': {
    act(world) {
      world.listen('127.0.0.1', SERVER_PORT);
      expectRefused('EADDRINUSE', () => world.bound('127.0.0.1', SERVER_PORT));
    },
  },
  'is made of a connected socket': {
    act(world) {
      const fd = world.connect('127.0.0.1');
      expectRefused('EISCONN', () => posix.connect(fd, '127.0.0.1', SERVER_PORT));
    },
  },
  'succeeds, whoever ends the connection then': {
    act(world) {
      for (const end of ['end', 'abort'] as const)
        for (const side of ['near', 'far'] as const) {
          const pair = { near: world.connect('127.0.0.1'), far: world.accept('127.0.0.1') };
          world[end](pair[side]);
          world.end(pair[side === 'near' ? 'far' : 'near']);
        }
      world.end(world.connect('::1'));
      world.listen('127.0.0.5', SERVER_PORT);
      const waiting = world.knock('127.0.0.5');
      world.end(waiting);
    },
  },
  'is of UDP': {
    act(world) {
      world.sysctl('net.ipv4.ip_local_port_range', '40000 40000');
      world.connectUdp('127.0.0.1');
      expectRefused('EAGAIN', () => world.connectUdp('127.0.0.1'));
      expectRefused('EADDRINUSE', () => world.bound('127.0.0.1', 0, { type: 'udp' }));
    },
  },
};

function expectUnrouted(type: string, error: string): void {
  execFileSync('ip', ['route', 'add', type, '192.0.2.0/24']);
  socket('127.0.0.1', (fd) => expectRefused(error, () => posix.connect(fd, '192.0.2.1', SERVER_PORT)));
}

describeOverBpf('A connect() that', () => {
  it.for(Object.entries(CASES))(
    '%s is never counted as refused for want of a port',
    ([what, { act, counted = [] }], { skip }) => {
      if (what.startsWith('of MPTCP') && !HAS_MULTIPATH) skip('the kernel has no MPTCP');
      const world = newWorld();
      const refusals = newRefusals();
      act(world);
      const { counts } = countedIn(refusals);
      const ofTcp = counts.filter(({ ending }) => !('protocol' in ending) || ending.protocol === 'tcp');
      expect(ofTcp).toHaveLength(counted.length);
      expect(ofTcp).toEqual(expect.arrayContaining([...counted]));
    },
  );

  it('has a port of bind(address, 0) that a connection to this very destination has too looks refused', () => {
    const world = newWorld({ range: [40_000, 40_000] });
    const refusals = newRefusals();
    world.listen('127.0.0.1', SERVER_PORT);
    const late = world.bound('127.0.0.1', 0, { reuseAddress: true });
    world.connect('127.0.0.1', SERVER_PORT, { from: '127.0.0.1', port: 40_000, reuseAddress: true });
    expectRefused('EADDRNOTAVAIL', () => posix.connect(late, '127.0.0.1', SERVER_PORT));
    expect(countedIn(refusals).counts).toEqual(one(LOOKS_REFUSED));
  });

  it('somebody destroyed is counted as that', ({ skip }) => {
    const world = newWorld();
    const refusals = newRefusals();
    const fd = connecting(world);
    const said = spawnSync('ss', ['-KtH', 'state', 'syn-sent'], { encoding: 'utf8' });
    const { counts } = countedIn(refusals);
    posix.close(fd);
    if (said.status !== 0 || said.stdout === '') skip('the kernel destroys no sockets');
    expect(counts).toEqual(one(failed('ECONNABORTED')));
  });

  it('has nobody at its address is unreachable', { timeout: 30_000 * SLOWNESS }, async () => {
    newWorld();
    await addTwinLinks();
    const refusals = newRefusals();
    socket('10.0.0.77', (fd) =>
      expectRefused('EHOSTUNREACH', () => posix.connect(fd, '10.0.0.77', SERVER_PORT)),
    );
    const { counts, destinations, failures, owners, events } = countedIn(refusals);
    expect(counts).toEqual(one(failed('EHOSTUNREACH')));
    expect(failures).toEqual([
      expect.objectContaining({
        localAddress: '10.0.0.1',
        remote: { address: '10.0.0.77', port: SERVER_PORT },
        ending: failed('EHOSTUNREACH'),
        count: 1,
      }),
    ]);
    expect([destinations, owners, events]).toEqual([[], [], []]);
  });

  it('dies with its process is given up', async () => {
    const world = newWorld();
    const refusals = newRefusals();
    posix.close(connecting(world));
    const child = spawn('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${SERVER_PORT}`], { stdio: 'ignore' });
    const isConnecting = () => / 02 /.test(readFileSync(`/proc/${child.pid}/net/tcp`, 'utf8'));
    while (!isConnecting()) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(countedIn(refusals).counts).toEqual([{ ending: GIVEN_UP, count: 2 }]);
  });
});
