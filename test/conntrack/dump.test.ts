import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError, errorLine, KernelError } from '../../src/base/errors.ts';
import { dumpConntrack } from '../../src/conntrack/dump.ts';
import type { ConntrackRecord } from '../../src/conntrack/record.ts';
import {
  type Arrival,
  datagram,
  done,
  FakeNetlink,
  type Message,
  NLM_F_DUMP_FILTERED,
  NLM_F_DUMP_INTR,
  type Request,
  refusal,
} from '../kernel/fakeNetlink.ts';
import { type Entry, encodeEntry } from './encode.ts';

const { EPERM, EMFILE } = constants.errno;
const NEW = 0x0100;

const TCP: Entry = {
  original: { source: '10.0.0.5', destination: '192.0.2.1', sourcePort: 40_000, destinationPort: 443 },
  reply: { source: '192.0.2.7', destination: '198.51.100.1', sourcePort: 8443, destinationPort: 2000 },
  ...{ protocol: 6, status: 0x19e, tcpState: 7, timeout: 119 },
};
const UDP: Entry = {
  original: { source: 'fd00::5', destination: '2001:db8::1', sourcePort: 1, destinationPort: 53, zone: 7 },
  reply: { source: '2001:db8::1', destination: '2001:db8::99', sourcePort: 53, destinationPort: 65_535 },
  protocol: 17,
};

describe('the dump', () => {
  it('is one request for every family, and leaves no socket open', () => {
    const { kernel } = dump(({ sequence }) => [datagram(done(sequence))]);
    expect(kernel.requests).toEqual([
      { length: 20, type: 0x0101, flags: 0x301, sequence: 1, payload: new Uint8Array(4) },
    ]);
    expect(kernel.closed).toBe(true);
  });

  it('hands over every entry, decoded, and nothing of the one before', () => {
    const icmp: Entry = {
      original: { source: '10.0.0.5', destination: '192.0.2.1' },
      reply: { source: '192.0.2.1', destination: '198.51.100.1' },
      ...{ protocol: 1, zone: 3 },
    };
    const { seen } = dump(({ sequence }) => [
      datagram(...[TCP, UDP].map((one) => messageOf(sequence, one))),
      datagram(messageOf(sequence, icmp), messageOf(sequence, TCP), done(sequence)),
    ]);
    expect(seen).toEqual([
      '4 6 status 414 state 7 119 s, 10.0.0.5:40000>192.0.2.1:443 zone 0, 192.0.2.7:8443>198.51.100.1:2000 zone 0',
      '6 17 status 0 state -1 0 s, fd00:0:0:5:1>2001:db8:0:1:53 zone 7, 2001:db8:0:1:53>2001:db8:0:99:65535 zone 0',
      '4 1 status 0 state -1 0 s, 10.0.0.5:0>192.0.2.1:0 zone 3, 192.0.2.1:0>198.51.100.1:0 zone 3',
      '4 6 status 414 state 7 119 s, 10.0.0.5:40000>192.0.2.1:443 zone 0, 192.0.2.7:8443>198.51.100.1:2000 zone 0',
    ]);
  });
});

describe('a dump that is not whole is named, and leaves no socket open', () => {
  const WHAT = 'dump of tracked connections';
  const whole = encodeEntry(TCP);
  it.each<[string, (sequence: number) => Arrival[], string]>([
    ['refused', (n) => [datagram(refusal(n, EPERM))], 'the kernel answered: operation not permitted (EPERM)'],
    [
      'interrupted',
      (n) => [datagram({ ...messageOf(n, TCP), flags: 2 | NLM_F_DUMP_INTR }, done(n))],
      'interrupted by a change of the table (NLM_F_DUMP_INTR)',
    ],
    [
      'filtered',
      (n) => [datagram({ ...messageOf(n, TCP), flags: 2 | NLM_F_DUMP_FILTERED }, done(n))],
      'only a part of the table (NLM_F_DUMP_FILTERED)',
    ],
    ['cut off', (n) => [datagram(messageOf(n, TCP))], 'recv(): resource temporarily unavailable (EAGAIN)'],
    [
      'of an entry of 3 bytes',
      (n) => [datagram({ type: NEW, sequence: n, payload: whole.subarray(0, 3) })],
      'malformed answer: an entry of 3 bytes, expected 4',
    ],
    [
      'of another family',
      (n) => [datagram({ type: NEW, sequence: n, payload: Uint8Array.of(7, 0, 0, 0) })],
      'malformed answer: an entry of family 7, expected 2 or 10',
    ],
    [
      'of an entry without a reply',
      (n) => [datagram({ type: NEW, sequence: n, payload: whole.subarray(0, 4 + 52) })],
      'malformed answer: an entry without addresses or ports',
    ],
    [
      'of an entry without ports',
      (n) => [
        datagram(messageOf(n, { ...TCP, reply: { source: '192.0.2.7', destination: '198.51.100.1' } })),
      ],
      'malformed answer: an entry without addresses or ports',
    ],
    [
      'of an attribute that is too long',
      (n) => [
        datagram(
          messageOf(n, { ...TCP, more: [{ type: 7, payload: new Uint8Array(4), claimedLength: 12 }] }),
        ),
      ],
      'malformed answer: an attribute of 12 bytes with 8 left',
    ],
  ])('%s', (_, answer, why) => {
    const kernel = new FakeNetlink(({ sequence }) => answer(sequence));
    expect(
      failure(() =>
        dumpConntrack(
          () => kernel,
          () => {},
        ),
      ),
    ).toBe(`${WHAT}: ${why}`);
    expect(kernel.closed).toBe(true);
  });

  it('for want of a socket', () => {
    const open = () => {
      throw new KernelError('socket()', EMFILE);
    };
    expect(failure(() => dumpConntrack(open, () => {}))).toMatch(
      /^opening a netlink socket \(NETLINK_NETFILTER\): socket\(\): .+ \(EMFILE\)/,
    );
  });
});

it('wherever in it the kernel says so, a dump that is interrupted or filtered is not taken for whole', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.constantFrom(TCP, UDP), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.nat(),
      fc.constantFrom([NLM_F_DUMP_INTR, 'NLM_F_DUMP_INTR'], [NLM_F_DUMP_FILTERED, 'NLM_F_DUMP_FILTERED']),
      (datagrams, marked, [flag, name]) => {
        // On an entry, or on the end.
        const at = marked % (datagrams.flat().length + 1);
        let nth = 0;
        const flagged = (message: Message): Message => ({
          ...message,
          flags: nth++ === at ? 2 | Number(flag) : 2,
        });
        const answer = (sequence: number) => [
          ...datagrams.map((all) => datagram(...all.map((one) => flagged(messageOf(sequence, one))))),
          datagram(flagged(done(sequence))),
        ];
        const kernel = new FakeNetlink(({ sequence }) => answer(sequence));
        expect(
          failure(() =>
            dumpConntrack(
              () => kernel,
              () => {},
            ),
          ),
        ).toContain(String(name));
        expect(kernel.closed).toBe(true);
      },
    ),
  );
});

it('whatever a kernel answers, a dump ends, well or with one line that names it', () => {
  const SEQUENCE = 1;
  const bytes = fc.uint8Array({ maxLength: 240 });
  const entry = fc
    .record({
      entry: fc.constantFrom(TCP, UDP),
      changes: fc.array(fc.tuple(fc.nat(250), fc.nat(255)), { maxLength: 3 }),
    })
    .map(({ entry, changes }) => {
      const whole = encodeEntry(entry);
      for (const [at, value] of changes) if (at < whole.length) whole[at] = value;
      return whole;
    });
  const message: fc.Arbitrary<Message> = fc.record(
    {
      type: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4), fc.constant(NEW), fc.nat(65_535)),
      sequence: fc.oneof({ weight: 9, arbitrary: fc.constant(SEQUENCE) }, fc.nat()),
      flags: fc.constantFrom(0, 2, 2, 2, 2, 2, 0x12, 0x22, 0xffff),
      payload: fc.oneof(entry, entry, bytes),
      claimedLength: fc.oneof(fc.nat(300), fc.nat(2 ** 32 - 1)),
    },
    { requiredKeys: ['type', 'sequence'] },
  );
  // Datagrams that are almost right, with some bytes changed and the end cut off.
  const damaged = fc
    .tuple(
      fc.array(message, { maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(900), fc.nat(255)), { maxLength: 3 }),
      fc.option(fc.nat(900)),
    )
    .map(([messages, changes, keep]) => {
      const whole = datagram(...messages);
      for (const [at, value] of changes) if (at < whole.length) whole[at] = value;
      return keep === null ? whole : whole.subarray(0, keep);
    });
  const arrivals: fc.Arbitrary<Arrival[]> = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.array(message, { maxLength: 4 }).map((all) => datagram(...all)) },
      { weight: 3, arbitrary: damaged },
      { weight: 3, arbitrary: fc.constant(datagram(done(SEQUENCE))) },
      { weight: 1, arbitrary: bytes },
      { weight: 1, arbitrary: fc.constant(new Uint8Array(70_000).fill(1)) },
      { weight: 1, arbitrary: fc.constantFrom(...Object.values(constants.errno)) },
    ),
    { maxLength: 6 },
  );
  const ends = { whole: 0, failed: 0 };
  fc.assert(
    fc.property(arrivals, (answer) => {
      try {
        dumpConntrack(
          () => new FakeNetlink(() => answer),
          () => {},
        );
        ends.whole++;
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(ExporterError);
        expect(errorLine(thrown)).toMatch(/^dump of tracked connections: [^\n]+$/);
        ends.failed++;
      }
    }),
    { numRuns: 3000 },
  );
  expect(ends.whole).toBeGreaterThan(20);
  expect(ends.failed).toBeGreaterThan(500);
});

function messageOf(sequence: number, entry: Entry): Message {
  return { type: NEW, sequence, payload: encodeEntry(entry) };
}

function dump(answer: (request: Request) => readonly Arrival[]) {
  const kernel = new FakeNetlink(answer);
  const seen: string[] = [];
  dumpConntrack(
    () => kernel,
    (record) => void seen.push(textOf(record)),
  );
  return { kernel, seen };
}

/** Of IPv6 the first two and the last two groups that are not 0 in these tests. */
function textOf({ family, protocol, status, tcpState, timeoutSeconds, original, reply }: ConntrackRecord) {
  const address = (...words: readonly number[]) =>
    family === 4
      ? [24, 16, 8, 0].map((shift) => ((words[0] ?? 0) >>> shift) & 255).join('.')
      : [(words[0] ?? 0) >>> 16, (words[0] ?? 0) & 0xffff, (words[1] ?? 0) | (words[2] ?? 0), words[3] ?? 0]
          .map((group) => group.toString(16))
          .join(':');
  const direction = (tuple: typeof original) =>
    `${address(tuple.source0, tuple.source1, tuple.source2, tuple.source3)}:${tuple.sourcePort}>` +
    `${address(tuple.destination0, tuple.destination1, tuple.destination2, tuple.destination3)}:${tuple.destinationPort} ` +
    `zone ${tuple.zone}`;
  return `${family} ${protocol} status ${status} state ${tcpState} ${timeoutSeconds} s, ${direction(original)}, ${direction(reply)}`;
}

/** The one line of the ExporterError that `walk` throws. */
function failure(walk: () => void): string {
  try {
    walk();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ExporterError);
    return errorLine(thrown);
  }
  throw new Error('nothing was thrown');
}
