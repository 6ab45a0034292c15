import { describe, expect, it } from 'vitest';
import {
  DESTINATION_BYTES,
  decodeDestinationCount,
  decodeEvent,
  decodeNamespaceCount,
  decodeOwnerCount,
  decodeTotals,
  EVENT_BYTES,
  endings,
  NAMESPACE_BYTES,
  OWNER_BYTES,
  TOTALS_BYTES,
} from '../../src/refusals/decode.ts';

const REGIME = { protocol: 'tcp', scope: 'connect' } as const;
const REFUSED = { ...REGIME, kind: 'refused' };
const endingOf = endings(REGIME);

/** A structure of `src/kernel/bpf/refusals.h`: what stands where, all else 0. */
function view(length: number, fields: (bytes: DataView) => void, start = 0): DataView {
  const bytes = new DataView(new ArrayBuffer(start + length), start);
  fields(bytes);
  return bytes;
}

const COOKIE = (7n << 32n) | 9n;

/** struct destination_key at `at`. */
function writeDestination(
  bytes: DataView,
  at: number,
  family: 2 | 10,
  addresses: readonly [number[], number[]],
) {
  bytes.setBigUint64(at, COOKIE, true);
  bytes.setUint32(at + 8, 4_026_531_840, true);
  bytes.setUint16(at + 12, family, true);
  bytes.setUint16(at + 14, 256, true);
  addresses[0].forEach((byte, index) => void bytes.setUint8(at + 16 + index, byte));
  addresses[1].forEach((byte, index) => void bytes.setUint8(at + 32 + index, byte));
  bytes.setUint16(at + 48, 443, true);
}

const HERE = { netns: 4_026_531_840, cookie: '7:9' };
const V6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

describe('what a call ended with', () => {
  it.each([
    [0, { kind: 'given_up' }],
    [111, { kind: 'failed', error: 'ECONNREFUSED' }],
    [110, { kind: 'failed', error: 'ETIMEDOUT' }],
    [99, { kind: 'failed', error: 'EADDRNOTAVAIL' }],
    [255, { kind: 'failed', error: 'errno 255' }],
    [256, REFUSED],
    [257, { ...REGIME, kind: 'looks_refused' }],
  ])('%i is %o', (outcome, ending) => {
    expect(endingOf(outcome)).toEqual(ending);
  });
});

describe('the totals', () => {
  it('are those that are not 0, with what was lost and what was left out', () => {
    const bytes = view(TOTALS_BYTES, (totals) => {
      [1, 2, 3, 4, 5, 6].forEach((value, index) => void totals.setBigUint64(8 * index, BigInt(value), true));
      totals.setBigUint64(48 + 8 * 111, 10n, true);
      totals.setBigUint64(48 + 8 * 256, 2n ** 40n, true);
    });
    expect(decodeTotals(bytes, endingOf)).toEqual({
      host: [
        { ending: { kind: 'failed', error: 'ECONNREFUSED' }, count: 10 },
        { ending: REFUSED, count: 2 ** 40 },
      ],
      lost: { namespaces: 1, destinations: 2, failures: 3, owners: 4, events: 5 },
      leftOut: 6,
    });
  });

  it('are none where nothing happened', () => {
    expect(
      decodeTotals(
        view(TOTALS_BYTES, () => {}),
        endingOf,
      ),
    ).toMatchObject({ host: [], leftOut: 0 });
  });
});

describe('a count', () => {
  it('of a namespace', () => {
    const bytes = view(2 * NAMESPACE_BYTES, (keys) => {
      keys.setBigUint64(16, COOKIE, true);
      keys.setUint32(24, HERE.netns, true);
      keys.setUint32(28, 256, true);
    });
    expect(decodeNamespaceCount(bytes, 16, 5, endingOf)).toEqual({ ...HERE, ending: REFUSED, count: 5 });
  });

  it('of an owner', () => {
    const bytes = view(OWNER_BYTES, (keys) => {
      keys.setBigUint64(0, COOKIE, true);
      keys.setBigUint64(8, 1234n, true);
      keys.setUint32(16, HERE.netns, true);
      keys.setUint32(20, 257, true);
    });
    expect(decodeOwnerCount(bytes, 0, 5, endingOf)).toEqual({
      ...HERE,
      cgroupId: 1234,
      ending: { ...REGIME, kind: 'looks_refused' },
      count: 5,
    });
  });

  it('of an IPv4 destination', () => {
    const bytes = view(2 * DESTINATION_BYTES, (keys) =>
      writeDestination(keys, DESTINATION_BYTES, 2, [
        [10, 0, 0, 1],
        [192, 0, 2, 200],
      ]),
    );
    expect(decodeDestinationCount(bytes, DESTINATION_BYTES, 5, endingOf)).toEqual({
      ...HERE,
      localAddress: '10.0.0.1',
      remote: { address: '192.0.2.200', port: 443 },
      ending: REFUSED,
      count: 5,
    });
  });

  it('of an IPv6 destination, at any place of its buffer', () => {
    const bytes = view(DESTINATION_BYTES, (keys) => writeDestination(keys, 0, 10, [V6, V6]), 8);
    expect(decodeDestinationCount(bytes, 0, 5, endingOf)).toMatchObject({
      localAddress: '2001:db8::1',
      remote: { address: '2001:db8::1', port: 443 },
    });
  });

  it('of a bind() has no destination', () => {
    const bytes = view(DESTINATION_BYTES, (keys) => {
      writeDestination(keys, 0, 10, [V6, []]);
      keys.setUint16(48, 0, true);
    });
    expect(decodeDestinationCount(bytes, 0, 5, endingOf)).toMatchObject({
      localAddress: '2001:db8::1',
      remote: undefined,
    });
  });
});

describe('an event', () => {
  const event = (comm: string) =>
    decodeEvent(
      view(EVENT_BYTES, (bytes) => {
        writeDestination(bytes, 0, 2, [
          [10, 0, 0, 1],
          [192, 0, 2, 1],
        ]);
        bytes.setBigUint64(56, 5_000_000n, true);
        bytes.setBigUint64(64, 1234n, true);
        bytes.setUint32(72, 11, true);
        bytes.setUint32(76, 10, true);
        Buffer.from(comm, 'latin1').forEach((byte, index) => void bytes.setUint8(80 + index, byte));
      }),
      endingOf,
      1000,
    );

  it('has its process, thread, cgroup and time', () => {
    expect(event('curl')).toEqual({
      ...HERE,
      localAddress: '10.0.0.1',
      remote: { address: '192.0.2.1', port: 443 },
      ending: REFUSED,
      atMs: 1005,
      cgroupId: 1234,
      tid: 11,
      pid: 10,
      comm: 'curl',
    });
  });

  it('shows a name of any bytes fit for a label', () => {
    expect(event('a\nb').comm).toBe('a\\u000ab');
    expect(event('\xff'.repeat(16)).comm).toBe('\ufffd'.repeat(16));
  });
});
