import fc from 'fast-check';
import type { PortSysctls } from '../../src/kernel/sysctl.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { familyOf, type Sock, type World } from './world.ts';

const { LISTEN, CLOSE, ESTABLISHED, BOUND_INACTIVE, TIME_WAIT, ...OTHERS } = TcpState;

const IPV4 = ['127.0.0.1', '127.0.0.2', '10.0.0.1', '192.0.2.255'];
const MAPPED = ['::ffff:127.0.0.1', '::ffff:10.0.0.1'];
const IPV6 = ['::1', 'fd00::1', '2001:db8::ffff'];
const SPECIFIC = [...IPV4, ...MAPPED, ...IPV6];
const ADDRESSES = [...SPECIFIC, '0.0.0.0', '::', '::', '::ffff:0.0.0.0'];

/**
 * Namespaces with a small range, whose first port and length are odd or even, and sockets on it and just beside it: a
 * few destinations, some of them nearly or quite full.
 */
export const anyWorld: fc.Arbitrary<World> = anySysctls().chain((sysctls) =>
  fc.record({
    sysctls: fc.constant(sysctls),
    tcp: fc
      .tuple(unconnected(sysctls, LISTEN), unconnected(sysctls, CLOSE), connections(sysctls))
      .map((parts) => parts.flat()),
    udp: fc.tuple(unconnected(sysctls, CLOSE), udpConnected(sysctls)).map((parts) => parts.flat()),
  }),
);

function anySysctls(): fc.Arbitrary<PortSysctls> {
  return fc
    .record({
      first: fc.integer({ min: 40_000, max: 40_003 }),
      length: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 4, max: 40 })),
      reserved: fc.array(fc.tuple(fc.nat(45), fc.nat(3)), { maxLength: 3 }),
      twReuse: fc.constantFrom(0 as const, 1 as const, 2 as const),
      timestamps: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
      l3mdevAccept: fc.boolean(),
      twReuseDelayMs: fc.constantFrom(0, 1000, 5000),
    })
    .map(({ first, length, reserved, ...others }) => ({
      range: { first, last: first + length - 1 },
      reserved: reserved.map(([at, more]): [number, number] => [39_998 + at, 39_998 + at + more]),
      ...others,
    }));
}

/** Listeners, bound-only sockets, or unconnected UDP sockets. */
function unconnected(sysctls: PortSysctls, state: number): fc.Arbitrary<Sock[]> {
  const sock = fc.record({
    state: fc.constant(state),
    local: fc.constantFrom(...ADDRESSES),
    localPort: anyPort(sysctls),
    v6only: fc.boolean(),
  });
  return fc
    .array(sock, { maxLength: 6 })
    .map((socks) => socks.map((one) => ({ ...one, v6only: one.v6only && one.local.startsWith('::') })));
}

/** Several tuples, each with any part of the ports, or all of a half and any part of the other. */
function connections(sysctls: PortSysctls): fc.Arbitrary<Sock[]> {
  const tuple = fc
    .record({
      local: fc.constantFrom(...SPECIFIC),
      remote: fc.nat(3),
      remotePort: fc.constantFrom(80, 443, 40_000, 65_535),
      ports: tuplePorts(sysctls),
      states: fc.infiniteStream(fc.tuple(anyState(), fc.constantFrom(-1, 0, 999, 1000, 4999, 5000, 60_000))),
    })
    .map(({ local, remote, remotePort, ports, states }) =>
      ports.map((localPort): Sock => {
        const [state, age] = states.next().value;
        const timeWaitAgeMs = state === TIME_WAIT ? age : -1;
        return { state, local, localPort, remote: peerOf(local, remote), remotePort, timeWaitAgeMs };
      }),
    );
  const key = ({ local, remote, remotePort }: Sock) =>
    [local, remote].map((address) => address?.replace('::ffff:', '')).join() + remotePort;
  // The kernel has every four-tuple once.
  return fc
    .uniqueArray(tuple, { maxLength: 4, selector: ([first]) => (first ? key(first) : {}) })
    .map((tuples) => tuples.flat());
}

function tuplePorts(sysctls: PortSysctls): fc.Arbitrary<number[]> {
  const ports = portsAround(sysctls);
  const firstHalf = ports.filter((port) => port % 2 === sysctls.range.first % 2);
  const secondHalf = ports.filter((port) => !firstHalf.includes(port));
  return fc.oneof(
    fc.subarray(ports),
    fc.tuple(fc.constant(firstHalf), fc.subarray(secondHalf)).map((parts) => parts.flat()),
    fc.tuple(almost(firstHalf), fc.subarray(secondHalf)).map((parts) => parts.flat()),
  );
}

/** All but one or two. */
function almost(ports: number[]): fc.Arbitrary<number[]> {
  return fc.subarray(ports, { minLength: Math.max(0, ports.length - 2) });
}

function udpConnected(sysctls: PortSysctls): fc.Arbitrary<Sock[]> {
  return fc.array(
    fc.record({
      state: fc.constant(ESTABLISHED),
      local: fc.constantFrom(...SPECIFIC),
      localPort: anyPort(sysctls),
    }),
    { maxLength: 12 },
  );
}

function anyState(): fc.Arbitrary<number> {
  return fc.constantFrom(ESTABLISHED, TIME_WAIT, TIME_WAIT, ...Object.values(OTHERS));
}

function anyPort(sysctls: PortSysctls): fc.Arbitrary<number> {
  return fc.constantFrom(...portsAround(sysctls));
}

/** With the ones just outside the range. */
function portsAround({ range: { first, last } }: PortSysctls): number[] {
  return Array.from({ length: last - first + 3 }, (_, index) => first - 1 + index);
}

/** A peer in the family of `local`, mapped where that is. */
function peerOf(local: string, index: number): string {
  if (familyOf(local) === 6) return ['::1', 'fd00::9', '2001:db8::9', 'fe80::9'][index] ?? '';
  const peer = ['127.0.0.1', '10.0.0.9', '203.0.113.9', '192.0.2.128'][index] ?? '';
  return local.startsWith('::ffff:') ? `::ffff:${peer}` : peer;
}
