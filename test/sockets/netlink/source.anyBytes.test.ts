import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError, errorLine } from '../../../src/base/errors.ts';
import { Links } from '../../../src/kernel/links.ts';
import { NetlinkSource } from '../../../src/sockets/netlink/source.ts';
import { type Arrival, datagram, done, FakeNetlink, type Message } from '../../kernel/fakeNetlink.ts';
import { encodeSocket, skmeminfo, v6only } from './encode.ts';

/** Its first socket asks with this number first. */
const SEQUENCE = 1;

const bytes = fc.uint8Array({ maxLength: 120 });

const socketBytes = fc
  .record({
    family: fc.constantFrom('ipv4' as const, 'ipv6' as const),
    state: fc.nat(255),
    attributes: fc.subarray([skmeminfo(1), v6only(true), { type: 9, payload: new Uint8Array(3) }]),
  })
  .map(({ family, ...rest }) =>
    encodeSocket({ family, ...rest, local: family === 'ipv4' ? '10.0.0.1' : '::1', localPort: 1 }),
  );

const message: fc.Arbitrary<Message> = fc.record(
  {
    type: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 18, 20), fc.nat(65_535)),
    sequence: fc.oneof({ weight: 9, arbitrary: fc.constant(SEQUENCE) }, fc.nat()),
    flags: fc.constantFrom(0, 2, 2, 2, 2, 2, 2, 0x12, 0xffff),
    payload: fc.oneof(socketBytes, socketBytes, bytes),
    claimedLength: fc.oneof(fc.nat(200), fc.nat(2 ** 32 - 1)),
  },
  { requiredKeys: ['type', 'sequence'] },
);

/** Datagrams that are almost right, with some bytes changed and the end cut off. */
const damaged = fc
  .tuple(
    fc.array(message, { maxLength: 5 }),
    fc.array(fc.tuple(fc.nat(500), fc.nat(255)), { maxLength: 3 }),
    fc.option(fc.nat(400)),
  )
  .map(([messages, changes, keep]) => {
    const whole = datagram(...messages);
    for (const [at, value] of changes) if (at < whole.length) whole[at] = value;
    return keep === null ? whole : whole.subarray(0, keep);
  });

const arrivals: fc.Arbitrary<Arrival[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: damaged },
    { weight: 3, arbitrary: fc.constant(datagram(done(SEQUENCE))) },
    { weight: 2, arbitrary: bytes },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(70_000).fill(1)) },
    { weight: 1, arbitrary: fc.constantFrom(...Object.values(constants.errno)) },
  ),
  { maxLength: 6 },
);

describe('whatever a kernel answers', () => {
  const walks = ['tcpListeners', 'tcpConnections', 'tcpBoundOnly', 'udp'] as const;

  it('a dump ends, well or with one line that names it', () => {
    const seen = { whole: 0, failed: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...walks), arrivals, (walk, answer) => {
        const source = new NetlinkSource(
          () => new FakeNetlink(() => answer),
          new Links(() => new FakeNetlink(() => answer)),
        );
        try {
          source[walk](() => {});
          seen.whole++;
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
          expect(errorLine(thrown)).toMatch(/^dump of [^\n]+: [^\n]+$/);
          seen.failed++;
        }
      }),
      { numRuns: 3000 },
    );
    expect(seen.whole).toBeGreaterThan(20);
    expect(seen.failed).toBeGreaterThan(500);
  });
});
