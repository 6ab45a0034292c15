import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import {
  decodeBoundAddress,
  decodeBucket,
  decodeConnection,
  decodeUnconnected,
  isBlocked,
  isBucket,
} from '../../../src/sockets/bpf/decode.ts';
import { SocketRecord, TcpState, Timestamps } from '../../../src/sockets/record.ts';
import { toRow } from '../records.ts';
import { encodeRecord, type KernelRecord, RECORD_BYTES } from './encode.ts';

const { ESTABLISHED, FIN_WAIT2, TIME_WAIT, CLOSE, LISTEN, NEW_SYN_RECV, BOUND_INACTIVE } = TcpState;
const HZ = 250;

/** A record as the kernel writes it, and what it says. */
interface Told {
  readonly written: KernelRecord;
  readonly decode: (words: Int32Array, at: number, record: SocketRecord) => void;
  readonly says: Partial<ReturnType<typeof shown>>;
}

describe('a decoded connection', () => {
  it('has ports and addresses of IPv4', () => {
    expect(decoded(connection('192.0.2.1', '203.0.113.200'))).toMatchObject({
      socketFamily: 4,
      family: 4,
      local: '192.0.2.1:40000',
      remote: '203.0.113.200:443',
    });
  });

  it('has ports and addresses of IPv6', () => {
    expect(decoded(connection('2001:db8::1', 'fe80::ffff:a:b'))).toMatchObject({
      socketFamily: 6,
      family: 6,
      local: '[2001:db8::1]:40000',
      remote: '[fe80::ffff:a:b]:443',
    });
  });

  it('lives among IPv4 where its addresses are mapped', () => {
    expect(decoded(connection('::ffff:192.0.2.1', '::ffff:203.0.113.200'))).toMatchObject({
      socketFamily: 6,
      family: 4,
      local: '192.0.2.1:40000',
      remote: '203.0.113.200:443',
    });
  });

  it.each(['::', '::1', '::c000:201', '::fffe:c000:201', '::1:ffff:192.0.2.1'])(
    'is not taken for mapped on %s',
    (local) => {
      expect(decoded(connection(local, '::1')).family).toBe(6);
    },
  );

  it('has some inode where no more is known than that a file refers to it', () => {
    const inode = (changes: KernelRecord) =>
      decoded({ ...connection('10.0.0.1', '10.0.0.2'), ...changes }).inode;
    expect(inode({ flags: ['hasFile'] })).toBeGreaterThan(0);
    expect(inode({ flags: ['hasFile'], inode: 4_000_000_000 })).toBe(4_000_000_000);
    expect(inode({ flags: [] })).toBe(0);
  });

  it('in TIME_WAIT is as old as its timer has run, by the jiffies of this kernel', () => {
    const age = (extra: number, ticksPerSecond: number) =>
      decoded({ ...connection('10.0.0.1', '10.0.0.2'), state: TIME_WAIT, extra }, ticksPerSecond)
        .timeWaitAgeMs;
    expect(age(15_000, 250)).toBe(0);
    expect(age(14_750, 250)).toBe(1000);
    expect(age(14_750, 1000)).toBe(45_250);
    expect(age(1, 300)).toBe(59_997);
    expect(age(0, 250)).toBe(60_000);
  });

  it('in TIME_WAIT is neither younger than new nor older than old: its timer may be late, or of a tick ago', () => {
    const timeWait = { ...connection('10.0.0.1', '10.0.0.2'), state: TIME_WAIT };
    expect(decoded({ ...timeWait, extra: 15_001 }).timeWaitAgeMs).toBe(0);
    expect(decoded({ ...timeWait, extra: -3 }).timeWaitAgeMs).toBe(60_000);
  });

  it('has a cgroup where connect() would have an age', () => {
    const words = { ...connection('10.0.0.1', '10.0.0.2'), cgroup: 700n, extra: 5 };
    const [live, timeWait] = [
      decoded({ ...words, state: FIN_WAIT2 }),
      decoded({ ...words, state: TIME_WAIT }),
    ];
    expect(live).toMatchObject({ cgroupId: '700', reuseAgeMs: -1, timeWaitAgeMs: -1 });
    expect(timeWait).toMatchObject({ cgroupId: '0', reuseAgeMs: 700, timeWaitAgeMs: 59_980 });
  });
});

describe('every record the kernel can write', () => {
  it.each(['connection', 'timeWait', 'listener', 'boundOnly', 'bucket', 'boundAddress'] as const)(
    'is decoded to what was encoded: %s',
    (kind) => {
      fc.assert(
        fc.property(ANY[kind], ({ written, decode, says }) => {
          expect(shown(new Place().decodeInto(new SocketRecord(), written, decode))).toMatchObject(says);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('lets nothing of the one before shine through, neither of its bytes nor of what was decoded', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...Object.values(ANY)), { minLength: 2, maxLength: 10 }), (all) => {
        const place = new Place();
        const record = new SocketRecord();
        for (const { written, decode, says } of all)
          expect(shown(place.decodeInto(record, written, decode))).toMatchObject(says);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a bind bucket', () => {
  it('is told from the sockets behind it, and whether connect() passes over its port', () => {
    fc.assert(
      fc.property(ANY.bucket, fc.oneof(ANY.boundOnly, ANY.boundAddress), (bucket, other) => {
        const place = new Place();
        place.write(bucket.written);
        expect(isBucket(place.words, place.at)).toBe(true);
        expect(isBlocked(place.words, place.at)).toBe(bucket.written.flags?.includes('blocked'));
        place.write(other.written);
        expect(isBucket(place.words, place.at)).toBe(false);
      }),
    );
  });
});

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().filter((address) => !ipaddr.IPv6.parse(address).isIPv4MappedAddress());
const mapped = ipv4.map((address) => `::ffff:${address}`);
const word = fc.nat(2 ** 32 - 1);
const port = fc.nat(65_535);
const device = fc.nat(2 ** 31 - 1);
const cgroup = fc.bigInt(0n, 2n ** 64n - 1n);
const yes = fc.boolean();

const anyPlace = fc.record({ port, netns: word, device });
const anyAddress = fc.oneof(ipv4, ipv6, mapped);
const anyEndpoints = fc.oneof(...[ipv4, ipv6, mapped].map((one) => fc.record({ local: one, remote: one })));

/** What connect() made, or accept() returned. */
const anyConnected = fc.record({ place: anyPlace, endpoints: anyEndpoints, remotePort: port });

const UNCONNECTED = new Set<number>([LISTEN, CLOSE, TIME_WAIT, NEW_SYN_RECV, BOUND_INACTIVE]);
const anyState = fc.constantFrom(...Object.values(TcpState).filter((state) => !UNCONNECTED.has(state)));

const ANY: Readonly<Record<string, fc.Arbitrary<Told>>> & Record<Kind, fc.Arbitrary<Told>> = {
  connection: fc
    .record({
      connected: anyConnected,
      state: anyState,
      inode: fc.oneof(fc.constant(0), word),
      hasFile: yes,
      cgroup,
    })
    .map(({ connected, state, inode, hasFile, cgroup: id }) => ({
      written: {
        ...writtenOf(connected),
        ...{ state, inode, cgroup: id, flags: hasFile ? ['hasFile'] : [], extra: 0 },
      },
      decode: (words, at, record) => decodeConnection(words, at, record, HZ),
      says: {
        ...saidOf(connected),
        ...{ state, inode: inode === 0 && hasFile ? 1 : inode, cgroupId: String(id) },
        ...{ timeWaitAgeMs: -1, reuseAgeMs: -1, timestamps: Timestamps.UNKNOWN },
      },
    })),
  timeWait: fc
    .record({
      connected: anyConnected,
      age: fc.record({ hz: fc.constantFrom(100, 250, 300, 1000), part: fc.nat(60_000) }),
      reuseAgeMs: fc.nat(60_000),
      used: yes,
    })
    .map(({ connected, age: { hz, part }, reuseAgeMs, used }) => {
      const ticks = Math.round((part * hz) / 1000);
      return {
        written: {
          ...writtenOf(connected),
          ...{ state: TIME_WAIT, inode: 0, cgroup: BigInt(reuseAgeMs), extra: 60 * hz - ticks },
          flags: used ? ['timestamps'] : [],
        },
        decode: (words, at, record) => decodeConnection(words, at, record, hz),
        says: {
          ...saidOf(connected),
          ...{ state: TIME_WAIT, inode: 0, cgroupId: '0', reuseAgeMs },
          timeWaitAgeMs: Math.round((ticks * 1000) / hz),
          timestamps: used ? Timestamps.USED : Timestamps.NOT_USED,
        },
      };
    }),
  listener: anyUnconnected(LISTEN),
  boundOnly: anyUnconnected(CLOSE),
  bucket: fc.record({ port, netns: word, device, blocked: yes }).map(({ blocked, ...place }) => ({
    written: { kind: 'bucket', state: 0, flags: blocked ? ['blocked'] : [], ...place },
    decode: decodeBucket,
    says: { localPort: place.port, vrf: place.device },
  })),
  boundAddress: fc
    .record({ place: anyPlace, local: anyAddress, vrf: device, v6only: yes })
    .map(({ place, local, vrf, v6only }) => ({
      written: {
        ...{ kind: 'address', state: 0, family: writtenFamily(local), local, remote: [vrf] },
        ...{ flags: v6only ? ['v6only'] : [] },
        ...place,
      },
      decode: decodeBoundAddress,
      says: {
        ...familiesOf(local),
        local: `${text(local)}:${place.port}`,
        device: place.device,
        vrf,
        v6only,
      },
    })),
};

type Kind = 'connection' | 'timeWait' | 'listener' | 'boundOnly' | 'bucket' | 'boundAddress';

/** The programs write all of it: what a listener has in place of a remote address is 0 for others. */
function anyUnconnected(state: number): fc.Arbitrary<Told> {
  const isListener = state === LISTEN;
  return fc
    .record({
      place: anyPlace,
      local: anyAddress,
      inode: word,
      cgroup,
      v6only: yes,
      queue: fc.tuple(word, word, word),
    })
    .map(({ place, local, inode, cgroup: id, v6only, queue }) => ({
      written: {
        ...{ kind: 'socket', state, family: writtenFamily(local), remotePort: 0, local, extra: 0 },
        ...{ remote: isListener ? [...queue, 0] : [0, 0, 0, 0], inode, cgroup: id, ...place },
        flags: v6only ? ['v6only', 'hasFile'] : ['hasFile'],
      },
      decode: decodeUnconnected,
      says: {
        ...{ ...familiesOf(local), state, local: `${text(local)}:${place.port}`, v6only, vrf: 0 },
        remote: familiesOf(local).family === 4 ? '0.0.0.0:0' : '[::]:0',
        afterRemote: familiesOf(local).afterLocal,
        ...{ device: place.device, inode, id: inode, cgroupId: String(id) },
        receiveQueue: isListener ? queue[0] : 0,
        backlogLimit: isListener ? queue[1] : -1,
        drops: isListener ? queue[2] : 0,
        ...{ timeWaitAgeMs: -1, reuseAgeMs: -1, timestamps: Timestamps.UNKNOWN },
      },
    }));
}

type Connected = typeof anyConnected extends fc.Arbitrary<infer T> ? T : never;

function writtenOf({ place, endpoints, remotePort }: Connected): KernelRecord {
  return { kind: 'socket', family: writtenFamily(endpoints.local), remotePort, ...endpoints, ...place };
}

function saidOf({ place, endpoints: { local, remote }, remotePort }: Connected): Told['says'] {
  return {
    ...familiesOf(local),
    local: `${text(local)}:${place.port}`,
    remote: `${text(remote)}:${remotePort}`,
    afterRemote: familiesOf(remote).afterLocal,
    ...{ device: place.device, vrf: 0, id: 0, v6only: false },
    ...{ receiveQueue: -1, backlogLimit: -1, drops: -1 },
  };
}

function writtenFamily(address: string): 'ipv4' | 'ipv6' {
  return ipaddr.parse(address).kind();
}

/** What the application opened, and where its ports collide. */
function familiesOf(address: string) {
  const number = { ipv4: 4, ipv6: 6 };
  const family = number[ipaddr.process(address).kind()];
  return {
    socketFamily: number[writtenFamily(address)],
    family,
    afterLocal: family === 4 ? [0, 0, 0] : [],
  };
}

function text(address: string): string {
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? `[${parsed.toRFC5952String()}]` : parsed.toString();
}

function connection(local: string, remote: string): KernelRecord {
  return {
    ...{ kind: 'socket', state: ESTABLISHED, flags: [], family: writtenFamily(local) },
    ...{ port: 40_000, remotePort: 443, netns: 1, device: 0, local, remote, inode: 0, cgroup: 0n, extra: 0 },
  };
}

function decoded(written: KernelRecord, ticksPerSecond = HZ) {
  const decode: Told['decode'] = (words, at, record) => decodeConnection(words, at, record, ticksPerSecond);
  return shown(new Place().decodeInto(new SocketRecord(), written, decode));
}

function shown(record: SocketRecord) {
  const { localPort, id, device: index, vrf, reuseAgeMs, timestamps } = record;
  const { family, local1, local2, local3, remote1, remote2, remote3 } = record;
  return {
    ...{ ...toRow(record), localPort, id, device: index, vrf, reuseAgeMs, timestamps },
    // An IPv4 address is the first word alone, and others are compared by all four.
    afterLocal: family === 4 ? [local1, local2, local3] : [],
    afterRemote: family === 4 ? [remote1, remote2, remote3] : [],
  };
}

/** One of a buffer's records, between others, which holds what was written there last. */
class Place {
  readonly words = new Int32Array((3 * RECORD_BYTES) / 4).fill(-0x11111112);
  readonly at = RECORD_BYTES / 4;

  write(written: KernelRecord): void {
    encodeRecord(written, new DataView(this.words.buffer, RECORD_BYTES, RECORD_BYTES));
  }

  decodeInto(record: SocketRecord, written: KernelRecord, decode: Told['decode']): SocketRecord {
    this.write(written);
    decode(this.words, this.at, record);
    return record;
  }
}
