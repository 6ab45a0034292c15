import { describe, expect, it } from 'vitest';
import { loadLibc } from '../../src/kernel/libc.ts';
import { bindOnLoopback } from '../../src/kernel/loopbackBind.ts';
import { openRefusals } from '../../src/refusals/openRefusals.ts';
import { countedIn, hereInode, newRefusals } from './support/counting.ts';
import { newWorld, times } from './support/exact.ts';
import { BPF_READS_TABLES, HAS_MULTIPATH } from './support/kernel.ts';
import * as posix from './support/posix.ts';
import { describeOverBpf } from './support/privilege.ts';
import { untilRefused, type World } from './support/world.ts';

const RANGE = [40_000, 40_003] as const;

/** Why the regimes that take tracing of functions are not counted here; undefined where they are. */
const refusal = reasonHere();

function reasonHere(): string | undefined {
  if (!BPF_READS_TABLES) return undefined;
  const refusals = openRefusals();
  const { regimes } = refusals;
  refusals.close();
  return regimes.find(({ isCounted }) => !isCounted)?.reason;
}

interface Case {
  /** Refused with the error, in a namespace whose ports are all in use. */
  readonly call: (world: World) => unknown;
  readonly error: string;
  readonly regime: { readonly protocol: 'tcp' | 'udp'; readonly scope: 'connect' | 'bind' };
  readonly localAddress: string;
}

const TCP_BIND = { protocol: 'tcp', scope: 'bind' } as const;
const UDP_BIND = { protocol: 'udp', scope: 'bind' } as const;
const UDP_CONNECT = { protocol: 'udp', scope: 'connect' } as const;
const bind = (address: string, type: 'tcp' | 'udp') => ({
  call: (world: World) => world.bound(address, 0, { type }),
  error: 'EADDRINUSE',
  regime: type === 'tcp' ? TCP_BIND : UDP_BIND,
  localAddress: address.replace('::ffff:', ''),
});

const CASES: Readonly<Record<string, Case>> = {
  'bind() of TCP': bind('127.0.0.1', 'tcp'),
  'bind() of TCP to any address': bind('0.0.0.0', 'tcp'),
  'bind() of TCP over IPv6': bind('::1', 'tcp'),
  'bind() of TCP over IPv6 to any address': bind('::', 'tcp'),
  'bind() of TCP to a mapped address': bind('::ffff:127.0.0.1', 'tcp'),
  'listen() without bind()': {
    call: () => withTcpSocket((fd) => posix.listen(fd)),
    error: 'EADDRINUSE',
    regime: TCP_BIND,
    localAddress: '0.0.0.0',
  },
  'bind() of MPTCP': {
    call: () => withTcpSocket((fd) => posix.bind(fd, '127.0.0.1', 0), { multipath: true }),
    error: 'EADDRINUSE',
    regime: TCP_BIND,
    localAddress: '127.0.0.1',
  },
  'bind() of UDP': bind('127.0.0.1', 'udp'),
  'bind() of UDP to any address': bind('0.0.0.0', 'udp'),
  'bind() of UDP over IPv6': bind('::1', 'udp'),
  'bind() of UDP over IPv6 to any address': bind('::', 'udp'),
  'bind() of UDP to a mapped address': bind('::ffff:127.0.0.1', 'udp'),
  'connect() of UDP': {
    call: (world) => world.connectUdp('127.0.0.1'),
    error: 'EAGAIN',
    regime: UDP_CONNECT,
    localAddress: '0.0.0.0',
  },
  'connect() of UDP over IPv6': {
    call: (world) => world.connectUdp('::1'),
    error: 'EAGAIN',
    regime: UDP_CONNECT,
    localAddress: '::',
  },
  'sendto() of UDP': {
    call: (world) => world.sendUdp('127.0.0.1'),
    error: 'EAGAIN',
    regime: UDP_CONNECT,
    localAddress: '0.0.0.0',
  },
  'sendto() of UDP over IPv6': {
    call: (world) => world.sendUdp('::1'),
    error: 'EAGAIN',
    regime: UDP_CONNECT,
    localAddress: '::',
  },
};

function withTcpSocket(act: (fd: number) => void, options: { multipath?: boolean } = {}): void {
  const fd = posix.socketFor('127.0.0.1', 'tcp', options);
  try {
    act(fd);
  } finally {
    posix.close(fd);
  }
}

/** All ports are bound to the wildcard address of both families. */
function exhausted(): World {
  const world = newWorld({ range: RANGE });
  for (const type of ['tcp', 'udp'] as const) times(4, () => world.bound('::', 0, { type }));
  return world;
}

function expectRefused(error: string, call: () => unknown): void {
  expect(untilRefused(call, 1)).toEqual({ succeeded: 0, error });
}

const describeCounted =
  refusal === undefined
    ? describeOverBpf
    : (name: string, define: () => void) => describe.skip(`${name} (skipped: ${refusal})`, define);

describeCounted('A call that is refused for want of a port', () => {
  it.for(Object.entries(CASES))('%s is counted in its regime', ([what, one], { skip }) => {
    if (what.endsWith('MPTCP') && !HAS_MULTIPATH) skip('the kernel has no MPTCP');
    const { call, error, regime, localAddress } = one;
    const world = exhausted();
    const refusals = newRefusals();
    times(3, () => expectRefused(error, () => call(world)));
    const ending = { ...regime, kind: 'refused' };
    const { counts, destinations, owners, events } = countedIn(refusals);
    expect(counts).toEqual([{ ending, count: 3 }]);
    expect(destinations).toEqual([
      expect.objectContaining({ ending, count: 3, localAddress, remote: undefined }),
    ]);
    expect(owners).toEqual([expect.objectContaining({ ending, count: 3 })]);
    expect(events.map(({ pid }) => pid)).toEqual(Array(3).fill(process.pid));
  });
});

describeCounted('A call that fails otherwise is no refusal:', () => {
  it.each<[string, string, (world: World) => unknown]>([
    ['bind() of TCP to a port in use', 'EADDRINUSE', (world) => world.bound('127.0.0.1', 40_000)],
    [
      'bind() of UDP to a port in use',
      'EADDRINUSE',
      (world) => world.bound('127.0.0.1', 40_000, { type: 'udp' }),
    ],
    [
      'bind() of UDP over IPv6 to a port in use',
      'EADDRINUSE',
      (world) => world.bound('::1', 40_000, { type: 'udp' }),
    ],
    ['bind() to an address that is nowhere', 'EADDRNOTAVAIL', (world) => world.bound('192.0.2.1')],
    [
      'bind() of UDP to an address that is nowhere',
      'EADDRNOTAVAIL',
      (world) => world.bound('192.0.2.1', 0, { type: 'udp' }),
    ],
  ])('%s', (_, error, call) => {
    const world = exhausted();
    const refusals = newRefusals();
    expectRefused(error, () => call(world));
    expect(countedIn(refusals).counts).toEqual([]);
  });

  it('and neither is one that succeeds', () => {
    const world = newWorld({ range: RANGE });
    const refusals = newRefusals();
    world.bound('127.0.0.1');
    world.bound('::1', 0, { type: 'udp' });
    world.connectUdp('127.0.0.1');
    expect(countedIn(refusals).counts).toEqual([]);
  });
});

describeCounted('What the exporter asks itself', () => {
  it('is left out', () => {
    exhausted();
    const refusals = newRefusals();
    for (const protocol of ['tcp', 'udp'] as const)
      for (const family of [4, 6] as const)
        expect(bindOnLoopback(loadLibc(), protocol, family).error).toBe('EADDRINUSE');
    const deltas = refusals.drain();
    expect(deltas?.leftOut).toBeGreaterThanOrEqual(4);
    expect(deltas?.namespaces.filter(({ netns }) => netns === hereInode())).toEqual([]);
  });
});
