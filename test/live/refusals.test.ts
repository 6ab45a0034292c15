import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { BlockedPortQuestions } from '../../src/kernel/blockedPorts.ts';
import { loadLibc } from '../../src/kernel/libc.ts';
import { newCgroups, UNIQUE } from './support/cgroups.ts';
import { countedIn, failed, hereInode, LOOKS_REFUSED, newRefusals, REFUSED } from './support/counting.ts';
import { times } from './support/exact.ts';
import { HAS_LOCAL_PORT_RANGE, HAS_MULTIPATH } from './support/kernel.ts';
import { NamedNamespace } from './support/namedNamespace.ts';
import * as posix from './support/posix.ts';
import { describeInCgroups, describeOverBpf } from './support/privilege.ts';
import {
  exhausted,
  RANGE,
  REFUSING_PROGRAM,
  refusalOf,
  refusedBy,
  refusing,
  withSocket,
} from './support/refusing.ts';
import { SERVER_PORT } from './support/world.ts';

interface Way {
  readonly to: string;
  readonly connect: (fd: number, to: string) => void;
  readonly options?: { nonBlocking?: boolean; multipath?: boolean };
  /** What the kernel counts it for; by default the address that is connected to, on both sides. */
  readonly local?: string;
  readonly remote?: string;
}

const plain = (fd: number, to: string) => posix.connect(fd, to, SERVER_PORT);

const WAYS: Readonly<Record<string, Way>> = {
  'over IPv4': { to: '127.0.0.1', connect: plain },
  'over IPv6': { to: '::1', connect: plain },
  'over IPv6 to a mapped address': {
    to: '::ffff:127.0.0.1',
    connect: plain,
    local: '127.0.0.1',
    remote: '127.0.0.1',
  },
  'that does not wait': { to: '127.0.0.1', connect: plain, options: { nonBlocking: true } },
  'over IPv6 that does not wait': { to: '::1', connect: plain, options: { nonBlocking: true } },
  'from an address without a port (IP_BIND_ADDRESS_NO_PORT)': {
    to: '127.0.0.1',
    connect(fd, to) {
      posix.setBindAddressNoPort(fd);
      posix.bind(fd, '127.0.0.1', 0);
      plain(fd, to);
    },
  },
  'with TCP_FASTOPEN_CONNECT': {
    to: '127.0.0.1',
    connect(fd, to) {
      posix.setFastOpenConnect(fd);
      plain(fd, to);
    },
  },
  'by sendto() with MSG_FASTOPEN': {
    to: '127.0.0.1',
    connect: (fd, to) => posix.sendFastOpen(fd, to, SERVER_PORT),
  },
  'over IPv6 by sendto() with MSG_FASTOPEN': {
    to: '::1',
    connect: (fd, to) => posix.sendFastOpen(fd, to, SERVER_PORT),
  },
  'of MPTCP': { to: '127.0.0.1', connect: plain, options: { multipath: true } },
  'of MPTCP over IPv6': { to: '::1', connect: plain, options: { multipath: true } },
};

describeOverBpf('A connect() that is refused for want of a port', () => {
  it.for(Object.entries(WAYS))('%s is counted, once for each call', ([, way], { skip }) => {
    if (way.options?.multipath === true && !HAS_MULTIPATH) skip('the kernel has no MPTCP');
    exhausted(way.remote ?? way.to);
    const refusals = newRefusals();
    times(3, () =>
      withSocket(posix.socketFor(way.to, 'tcp', way.options), (fd) => {
        expect(refusalOf(() => way.connect(fd, way.to))).toBe('EADDRNOTAVAIL');
      }),
    );
    const { counts, destinations, owners, failures } = countedIn(refusals);
    expect(counts).toEqual([{ ending: REFUSED, count: 3 }]);
    const address = way.remote ?? way.to;
    expect(destinations).toEqual([
      expect.objectContaining({
        localAddress: way.local ?? way.to,
        remote: { address, port: SERVER_PORT },
        ending: REFUSED,
        count: 3,
      }),
    ]);
    expect(owners).toEqual([expect.objectContaining({ ending: REFUSED, count: 3 })]);
    expect(failures).toEqual([]);
  });

  it('again and again on one descriptor is counted each time', () => {
    exhausted('127.0.0.1');
    const refusals = newRefusals();
    withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) =>
      times(5, () => expect(refusalOf(() => plain(fd, '127.0.0.1'))).toBe('EADDRNOTAVAIL')),
    );
    expect(countedIn(refusals).counts).toEqual([{ ending: REFUSED, count: 5 }]);
  });

  it('on a descriptor that had a port before is counted apart', () => {
    exhausted('127.0.0.1');
    const refusals = newRefusals();
    withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) => {
      expect(refusalOf(() => posix.connect(fd, '127.0.0.2', 1))).toBe('ECONNREFUSED');
      times(2, () => expect(refusalOf(() => plain(fd, '127.0.0.1'))).toBe('EADDRNOTAVAIL'));
    });
    const { counts, destinations } = countedIn(refusals);
    expect(counts).toHaveLength(2);
    expect(counts).toContainEqual({ ending: failed('ECONNREFUSED'), count: 1 });
    expect(counts).toContainEqual({ ending: LOOKS_REFUSED, count: 2 });
    expect(destinations).toEqual([expect.objectContaining({ ending: LOOKS_REFUSED, count: 2 })]);
  });

  it('is told with who made it, when, from where and where to', () => {
    exhausted('127.0.0.1');
    const refusals = newRefusals();
    const before = Date.now();
    withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) => refusalOf(() => plain(fd, '127.0.0.1')));
    const { events } = countedIn(refusals);
    expect(events).toEqual([
      {
        netns: hereInode(),
        cookie: expect.stringMatching(/^\d+:\d+$/),
        localAddress: '127.0.0.1',
        remote: { address: '127.0.0.1', port: SERVER_PORT },
        ending: REFUSED,
        atMs: expect.any(Number),
        pid: process.pid,
        tid: process.pid,
        comm: readFileSync('/proc/thread-self/comm', 'utf8').trimEnd(),
        cgroupId: expect.any(Number),
      },
    ]);
    expect(events[0]?.atMs).toBeGreaterThan(before - 5);
    expect(events[0]?.atMs).toBeLessThan(Date.now() + 5);
  });

  it('of several threads is counted for each of them', async () => {
    exhausted('127.0.0.1');
    const refusals = newRefusals();
    const said = await Promise.all(
      [10, 20, 30].map(async (calls) => {
        const worker = new Worker(REFUSING_PROGRAM, { workerData: ['127.0.0.1', SERVER_PORT, calls] });
        const [{ refused }] = (await once(worker, 'message')) as [{ refused: number }];
        await worker.terminate();
        return refused;
      }),
    );
    expect(said).toEqual([10, 20, 30]);
    const { counts, events } = countedIn(refusals);
    expect(counts).toEqual([{ ending: REFUSED, count: 60 }]);
    const byThread = [...new Set(events.map(({ tid }) => tid))].map(
      (thread) => events.filter(({ tid }) => tid === thread).length,
    );
    expect(byThread.toSorted((a, b) => a - b)).toEqual([10, 20, 30]);
    expect(events.every(({ pid }) => pid === process.pid)).toBe(true);
  });

  it('is counted for the namespace that it happened in, of several at once', async () => {
    const namespaces = [1, 2, 3].map(() => new NamedNamespace({ range: RANGE }));
    for (const namespace of namespaces)
      namespace.inside((world) => times(4, () => world.connect('127.0.0.1')));
    const refusals = newRefusals();
    const children = namespaces.map((namespace, index) =>
      namespace.inside(() => refusing(100 * (index + 1))),
    );
    expect(await Promise.all(children.map(refusedBy))).toEqual([100, 200, 300]);
    const deltas = refusals.drain();
    const cookies = new Set<string>();
    namespaces.forEach(({ inode }, index) => {
      const here = <T extends { netns: number }>(all: readonly T[] = []) =>
        all.filter(({ netns }) => netns === inode);
      const [count, ...others] = here(deltas?.namespaces);
      expect(others).toEqual([]);
      expect(count).toMatchObject({ ending: REFUSED, count: 100 * (index + 1) });
      cookies.add(count?.cookie ?? '');
      expect(here(deltas?.events).map(({ pid }) => pid)).toEqual(
        Array(100 * (index + 1)).fill(children[index]?.pid),
      );
    });
    expect(cookies.size).toBe(3);
  });

  it('that the exporter asks for itself is left out, and so is what it gives back', ({ skip }) => {
    if (!HAS_LOCAL_PORT_RANGE) skip('takes Linux 6.3');
    const world = exhausted('127.0.0.1');
    world.bound('127.0.0.9', 40_000);
    world.sysctl('net.ipv4.ip_local_port_range', '40000 40010');
    const refusals = newRefusals();
    const questions = new BlockedPortQuestions(loadLibc());
    expect(questions.isBlocked(40_000)).toBe(true);
    expect(questions.isBlocked(40_001)).toBe(false);
    questions.close();
    expect(refusals.drain()?.leftOut).toBeGreaterThanOrEqual(2);
    expect(countedIn(refusals).counts).toEqual([]);
  });
});

describeInCgroups('The owner of a refused connect()', () => {
  it('is the cgroup that the socket was made in', () => {
    exhausted('127.0.0.1');
    const cgroups = newCgroups();
    const refusals = newRefusals();
    const ids = ['a', 'b'].map((name, index) => {
      const path = `${UNIQUE}-refused-${name}`;
      cgroups.within(path, () =>
        times(index + 1, () =>
          withSocket(posix.socketFor('127.0.0.1', 'tcp'), (fd) => refusalOf(() => plain(fd, '127.0.0.1'))),
        ),
      );
      return statSync(cgroups.make(path)).ino;
    });
    const { owners, events } = countedIn(refusals);
    expect(owners.map(({ cgroupId, count }) => [cgroupId, count]).toSorted()).toEqual(
      [
        [ids[0], 1],
        [ids[1], 2],
      ].toSorted(),
    );
    expect(events.map(({ cgroupId }) => cgroupId)).toEqual([ids[0], ids[1], ids[1]]);
  });
});
