import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../../src/base/errors.ts';
import { decodeSocket } from '../../../src/sockets/netlink/decode.ts';
import { SocketRecord, TcpState } from '../../../src/sockets/record.ts';
import { type Row, toRow } from '../records.ts';
import { cgroupId, type DiagSocket, encodeAttribute, encodeSocket, skmeminfo, v6only } from './encode.ts';

const { ESTABLISHED, FIN_WAIT2, TIME_WAIT, CLOSE, LISTEN } = TcpState;

describe('a decoded socket', () => {
  it('has ports and addresses of IPv4', () => {
    const socket = connection('ipv4', '192.0.2.1', '203.0.113.200');
    expect(decoded(socket)).toMatchObject({
      socketFamily: 4,
      family: 4,
      state: ESTABLISHED,
      local: '192.0.2.1:40000',
      remote: '203.0.113.200:443',
      inode: 4_000_000_000,
    });
  });

  it('has ports and addresses of IPv6', () => {
    expect(decoded(connection('ipv6', '2001:db8::1', 'fe80::ffff:a:b'))).toMatchObject({
      socketFamily: 6,
      family: 6,
      local: '[2001:db8::1]:40000',
      remote: '[fe80::ffff:a:b]:443',
    });
  });

  it('lives among IPv4 where its addresses are mapped', () => {
    expect(decoded(connection('ipv6', '::ffff:192.0.2.1', '::ffff:203.0.113.200'))).toMatchObject({
      socketFamily: 6,
      family: 4,
      local: '192.0.2.1:40000',
      remote: '203.0.113.200:443',
    });
    const bound = { family: 'ipv6', state: CLOSE, local: '::ffff:0.0.0.0', localPort: 1 } as const;
    expect(decoded(bound)).toMatchObject({ family: 4, local: '0.0.0.0:1', remote: '0.0.0.0:0' });
  });

  it.each(['::', '::1', '::c000:201', '::fffe:c000:201', '::1:ffff:192.0.2.1'])(
    'is not taken for mapped on %s',
    (local) => {
      expect(decoded({ family: 'ipv6', state: CLOSE, local, localPort: 1 }).family).toBe(6);
    },
  );

  it('tells how old a TIME_WAIT is, and of nothing else', () => {
    const age = (state: number, timer: number, expires: number) =>
      decoded({ ...connection('ipv4', '10.0.0.1', '10.0.0.2'), state, timer, expires }).timeWaitAgeMs;
    expect(age(TIME_WAIT, 3, 60_000)).toBe(0);
    expect(age(TIME_WAIT, 3, 58_999)).toBe(1001);
    expect(age(TIME_WAIT, 3, 0)).toBe(60_000);
    expect(age(TIME_WAIT, 3, 61_000)).toBe(0);
    expect(age(TIME_WAIT, 0, 100)).toBe(-1);
    expect(age(FIN_WAIT2, 3, 100)).toBe(-1);
    expect(age(ESTABLISHED, 3, 100)).toBe(-1);
  });

  it('tells the queue, limit, drops and IPV6_V6ONLY of a listener', () => {
    const listener: DiagSocket = {
      ...{ family: 'ipv6', state: LISTEN, local: '::', localPort: 80, receiveQueue: 3, sendQueue: 511 },
      attributes: [cgroupId(7n), v6only(true), skmeminfo(99)],
    };
    expect(decoded(listener)).toMatchObject({ receiveQueue: 3, backlogLimit: 511, drops: 99, v6only: true });
    expect(decoded({ ...listener, attributes: [v6only(false)] })).toMatchObject({ v6only: false, drops: -1 });
    expect(decoded({ ...listener, attributes: [] })).toMatchObject({ v6only: false, drops: -1 });
  });

  it('has no backlog limit where it does not listen, but may have dropped datagrams', () => {
    const udp = {
      family: 'ipv4',
      state: CLOSE,
      local: '0.0.0.0',
      localPort: 53,
      receiveQueue: 4096,
    } as const;
    expect(decoded({ ...udp, sendQueue: 5, attributes: [skmeminfo(12)] })).toMatchObject({
      receiveQueue: 4096,
      backlogLimit: -1,
      drops: 12,
    });
  });

  it('takes an attribute that is too short for absent', () => {
    const listener = { family: 'ipv6', state: LISTEN, local: '::', localPort: 80 } as const;
    const attributes = [
      { type: 11, payload: new Uint8Array() },
      { type: 7, payload: new Uint8Array(32).fill(1) },
    ];
    expect(decoded({ ...listener, attributes })).toMatchObject({ v6only: false, drops: -1 });
  });

  it('keeps nothing of the socket before it', () => {
    const record = new SocketRecord();
    const everything: DiagSocket = {
      ...{ family: 'ipv6', state: LISTEN, local: '2001:db8::1', localPort: 80, receiveQueue: 1 },
      attributes: [v6only(true), skmeminfo(5)],
    };
    const timeWait = { ...connection('ipv6', '2001:db8::1', '2001:db8::2'), state: TIME_WAIT, timer: 3 };
    const connected = connection('ipv4', '10.0.0.1', '10.0.0.2');
    const bound: DiagSocket = { family: 'ipv4', state: CLOSE, local: '0.0.0.0', localPort: 1 };
    for (const before of [everything, timeWait]) {
      for (const plain of [connected, bound]) {
        decodeInto(record, before);
        decodeInto(record, plain);
        expect(record).toEqual(decodeInto(new SocketRecord(), plain));
      }
    }
  });
});

describe('what is not a socket', () => {
  const whole = encodeSocket({
    ...{ family: 'ipv6', state: LISTEN, local: '::', localPort: 80 },
    attributes: [skmeminfo(1)],
  });
  const decodeBytes = (bytes: Uint8Array) =>
    decodeSocket(
      'the dump',
      new DataView(bytes.buffer, bytes.byteOffset),
      0,
      bytes.length,
      new SocketRecord(),
    );

  it.each([
    ['shorter than inet_diag_msg', whole.subarray(0, 71), 'a socket of 71 bytes, expected 72'],
    ['of no bytes', whole.subarray(0, 0), 'a socket of 0 bytes, expected 72'],
    ['of a family nobody asked for', whole.with(0, 7), 'a socket of family 7, expected 2 or 10'],
    ['with half an attribute', whole.subarray(0, 90), 'an attribute of 40 bytes with 18 left'],
    ['with an attribute of no length', whole.with(72, 0), 'an attribute of 0 bytes with 40 left'],
  ])('%s is refused', (_, bytes, what) => {
    expect(() => decodeBytes(bytes)).toThrow(new ExporterError(`the dump: malformed answer: ${what}`));
  });
});

describe('every socket the kernel can tell of', () => {
  it('is decoded to what was encoded', () => {
    fc.assert(
      fc.property(anySocket, (socket) => {
        expect(decoded(socket)).toEqual(expected(socket));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the cgroup of a socket', () => {
  it('is that of its own attribute, however the attributes of the one before it lay', () => {
    fc.assert(
      fc.property(fc.array(anyAttributed, { minLength: 2, maxLength: 8 }), (sockets) => {
        for (const socket of sockets) expect(decoded(socket)).toEqual(expected(socket));
      }),
      { numRuns: 3000 },
    );
  });

  it('is not read from the inside of another attribute that looks like it', () => {
    const looksLikeCgroup = encodeAttribute(cgroupId(666n));
    const inside = { type: 1, payload: looksLikeCgroup };
    const socket = connection('ipv4', '10.0.0.1', '10.0.0.2');
    // The attribute found 4 bytes in, and in the next socket only its image is there.
    decoded({ ...socket, attributes: [{ type: 2, payload: new Uint8Array() }, cgroupId(7n)] });
    expect(decoded({ ...socket, attributes: [inside] }).cgroupId).toBe('0');
    expect(decoded({ ...socket, attributes: [inside, cgroupId(8n)] }).cgroupId).toBe('8');
  });

  it('is 0 where the attribute has another length than a u64 takes', () => {
    const socket = connection('ipv4', '10.0.0.1', '10.0.0.2');
    for (const length of [0, 4, 7, 9, 12]) {
      const attributes = [{ type: 21, payload: new Uint8Array(length).fill(1) }];
      expect(decoded({ ...socket, attributes }).cgroupId).toBe('0');
      expect(decoded({ ...socket, state: LISTEN, attributes }).cgroupId).toBe('0');
    }
  });
});

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().filter((address) => !ipaddr.IPv6.parse(address).isIPv4MappedAddress());
const mapped = ipv4.map((address) => `::ffff:${address}`);
const word = fc.nat(2 ** 32 - 1);
const port = fc.nat(65_535);

const anyEndpoints = fc.oneof(
  fc.record({ family: fc.constant('ipv4' as const), local: ipv4, remote: ipv4 }),
  fc.record({ family: fc.constant('ipv6' as const), local: ipv6, remote: ipv6 }),
  fc.record({ family: fc.constant('ipv6' as const), local: mapped, remote: mapped }),
);

const anySocket: fc.Arbitrary<DiagSocket> = fc
  .tuple(
    anyEndpoints,
    fc.record({
      state: fc.constantFrom(...Object.values(TcpState)),
      localPort: port,
      remotePort: port,
      timer: fc.nat(4),
      expires: fc.nat(60_000),
      receiveQueue: word,
      sendQueue: word,
      inode: word,
    }),
    fc.shuffledSubarray([v6only(true), skmeminfo(4_000_000_000), cgroupId(2n ** 63n), skmeminfo(0)]),
  )
  .map(([endpoints, rest, attributes]) => ({ ...endpoints, ...rest, attributes }));

/** Attributes of any kind before and after the cgroup's, with any bytes in them; one of them may look like another. */
const anyOther = fc.oneof(
  fc.record({ type: fc.integer({ min: 22, max: 40 }), payload: fc.uint8Array({ maxLength: 13 }) }),
  fc.bigInt(0n, 2n ** 64n - 1n).map((id) => ({ type: 30, payload: encodeAttribute(cgroupId(id)) })),
);

const anyAttributed: fc.Arbitrary<DiagSocket> = fc
  .record({
    state: fc.constantFrom(ESTABLISHED, TIME_WAIT, LISTEN, CLOSE),
    before: fc.array(anyOther, { maxLength: 3 }),
    cgroup: fc.option(fc.bigInt(0n, 2n ** 64n - 1n)),
    after: fc.array(anyOther, { maxLength: 2 }),
  })
  .map(({ state, before, cgroup, after }) => ({
    ...connection('ipv4', '10.0.0.1', '10.0.0.2'),
    state,
    attributes: [...before, ...(cgroup === null ? [] : [cgroupId(cgroup)]), ...after],
  }));

/** What records.ts shows of a socket, straight from its description. */
function expected(socket: DiagSocket): Row {
  const { family, state, local, localPort, remote = '', remotePort } = socket;
  const isUnconnected = state === LISTEN || state === CLOSE;
  const drops = (socket.attributes ?? []).filter(({ type }) => type === 7).at(-1);
  const cgroup = (socket.attributes ?? []).find(({ type, payload }) => type === 21 && payload.length === 8);
  const addresses = [local, remote].map((address) => ipaddr.process(address));
  const isIpv6 = addresses[0]?.kind() === 'ipv6';
  const text = (address: ipaddr.IPv4 | ipaddr.IPv6 | undefined) =>
    address instanceof ipaddr.IPv6 ? `[${address.toRFC5952String()}]` : String(address);
  return {
    socketFamily: family === 'ipv4' ? 4 : 6,
    family: isIpv6 ? 6 : 4,
    state,
    local: `${text(addresses[0])}:${localPort}`,
    remote: `${text(addresses[1])}:${remotePort}`,
    timeWaitAgeMs: state === TIME_WAIT && socket.timer === 3 ? 60_000 - (socket.expires ?? 0) : -1,
    v6only: isUnconnected && (socket.attributes ?? []).some(({ type }) => type === 11),
    receiveQueue: isUnconnected ? (socket.receiveQueue ?? 0) : -1,
    backlogLimit: state === LISTEN ? (socket.sendQueue ?? 0) : -1,
    drops: isUnconnected && drops ? (new Uint32Array(drops.payload.slice().buffer)[8] ?? -1) : -1,
    inode: socket.inode ?? 0,
    cgroupId: String(cgroup ? new BigUint64Array(cgroup.payload.slice().buffer)[0] : 0),
  };
}

function connection(family: 'ipv4' | 'ipv6', local: string, remote: string): DiagSocket {
  return {
    family,
    state: ESTABLISHED,
    local,
    localPort: 40_000,
    remote,
    remotePort: 443,
    inode: 4_000_000_000,
  };
}

function decoded(socket: DiagSocket): Row {
  return toRow(decodeInto(new SocketRecord(), socket));
}

/** From the middle of a buffer, as in a datagram. */
function decodeInto(record: SocketRecord, socket: DiagSocket): SocketRecord {
  const bytes = encodeSocket(socket);
  const around = Buffer.concat([Buffer.alloc(20, 0xee), bytes, Buffer.alloc(20, 0xee)]);
  decodeSocket('the dump', new DataView(around.buffer, around.byteOffset), 20, 20 + bytes.length, record);
  return record;
}
