import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evictsClosing, Held, refusalRatio } from '../../src/aggregate/snatRefusals.ts';

const FREE = 0;
const FIRM = Held.HELD | Held.ESTABLISHED | Held.FIRM;
const CLOSING = Held.HELD | Held.TIME_WAIT;

/** nf_nat_l4proto_unique_tuple(), offset by offset and try by try, with nothing but the ports themselves. */
function byTrying(ports: readonly number[], evicts: boolean, endable?: ReadonlySet<number>): number {
  let ratio = 1;
  for (let attempts = Math.min(ports.length, 128); ; attempts /= 2) {
    let refused = 0;
    for (let offset = 0; offset < 65_536; offset++) {
      let chance = 1;
      for (let nth = 0; nth < attempts && chance > 0; nth++) {
        const at = ((offset + nth) & 0xffff) % ports.length;
        const port = ports[at];
        if (port === FREE || (endable?.has(at) && attempts - nth <= 32)) chance = 0;
        else if (port === CLOSING && evicts && attempts - nth <= 32) chance /= 2;
      }
      refused += chance;
    }
    ratio *= refused / 65_536;
    if (attempts >= ports.length || attempts < 16) return ratio;
  }
}

/** The same of one packet after the other, each of which has one sequence number for all that it meets. */
function byPackets(ports: readonly number[], packets: number, random: () => number): number {
  let refused = 0;
  for (let packet = 0; packet < packets; packet++) {
    const endable = ports.map((port) => port === CLOSING && random() < 0.5);
    let isRefused = true;
    for (let attempts = 128; isRefused && attempts >= 8; attempts /= 2) {
      const offset = Math.floor(random() * 65_536);
      for (let nth = 0; nth < attempts && isRefused; nth++) {
        const at = ((offset + nth) & 0xffff) % ports.length;
        isRefused = ports[at] !== FREE && !(attempts - nth <= 32 && endable[at]);
      }
    }
    refused += Number(isRefused);
  }
  return refused / packets;
}

/** Numbers below 1 of no order, the same for the same seed: how far a mean of some halves is off is no matter of luck. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('the share of packets that find no port', () => {
  it('is what trying every offset gives', () => {
    const size = fc.oneof(
      fc.integer({ min: 1, max: 128 }),
      fc.integer({ min: 129, max: 2000 }),
      fc.integer({ min: 8193, max: 9000 }),
    );
    const kinds = fc.record({
      free: fc.constantFrom(0, 0.001, 0.01, 0.1),
      closing: fc.constantFrom(0, 0.02, 0.5, 1),
    });
    const block = fc.nat(1);
    fc.assert(
      fc.property(
        size,
        kinds,
        block,
        fc.boolean(),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (count, { free, closing }, asBlock, wouldEvict, dice) => {
          // Where windows meet, that is not what happens to one packet: see below.
          const evicts = wouldEvict && (count <= 128 || count > 8192);
          const roll = () => dice.next().value as number;
          const ports = Array.from({ length: count }, (_, index) => {
            const isFree = asBlock === 1 ? index < free * count : roll() < free;
            return isFree ? FREE : roll() < closing ? CLOSING : FIRM;
          });
          const expected = byTrying(ports, evicts);
          const found = refusalRatio(Uint8Array.from(ports), count, evicts);
          expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-9 * expected);
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it.each([
    [1024, 65_535],
    [1, 65_535],
    [30_000, 65_535],
  ])('is that of large ranges too: %d to %d', (first, last) => {
    const ports = Array.from({ length: last - first + 1 }, (_, index) =>
      index % 9 === 0 && index < 9000 ? FREE : FIRM,
    );
    const found = refusalRatio(Uint8Array.from(ports), ports.length, false);
    expect(found).toBeCloseTo(byTrying(ports, false), 12);
    expect(found).toBeGreaterThan(0.1);
  });

  it('is 1 of a full range, and 0 as long as no window is', () => {
    const full = (count: number) => new Uint8Array(count).fill(FIRM);
    expect([1, 7, 100, 128, 129, 64_512].map((count) => refusalRatio(full(count), count, true))).toEqual(
      Array(6).fill(1),
    );
    // Every eighth port is free: none of the windows has 8 taken ones.
    const holes = full(64_512).map((port, index) => (index % 8 === 0 ? FREE : port));
    expect(refusalRatio(holes, holes.length, false)).toBe(0);
  });

  it('of a small range with one free port is what the wrap of the offset costs', () => {
    const ports = new Uint8Array(100).fill(FIRM);
    ports[50] = FREE;
    expect(refusalRatio(ports, 100, false)).toBeCloseTo(0.00055, 4);
    // No wrap where the offsets are whole turns.
    const turns = new Uint8Array(128).fill(FIRM);
    turns[50] = FREE;
    expect(refusalRatio(turns, 128, false)).toBe(0);
  });

  it.each([
    [129, 0.05],
    [200, 0.06],
    [500, 0.05],
    [1000, 0.04],
    [1000, 0.3],
    [4000, 0.05],
  ])(
    'of %d ports, %d of them closing, is what happens to packets with one sequence number each',
    (count, closing) => {
      const random = seeded(count);
      // Those that are closing stand together, or far apart.
      for (const near of [1, 0.2]) {
        const ports = Array.from({ length: count }, (_, index) =>
          index < near * count && random() < closing / near ? CLOSING : FIRM,
        );
        const packets = 6000;
        const predicted = refusalRatio(Uint8Array.from(ports), count, true);
        const measured = byPackets(ports, packets, random);
        const deviation = Math.sqrt((predicted * (1 - predicted)) / packets);
        // The mean is one of some halves.
        expect(Math.abs(measured - predicted)).toBeLessThan(4.5 * deviation + 0.1 * predicted + 0.001);
      }
    },
  );

  it('of few closing connections is the mean over all of which a packet can end', () => {
    for (const [count, closing] of [
      [129, [3]],
      [200, [0, 60, 199]],
      [500, [10, 11, 300, 301, 400]],
    ] as const) {
      const ports = new Array<number>(count).fill(FIRM);
      for (const port of closing) ports[port] = CLOSING;
      const mean =
        Array.from({ length: 2 ** closing.length }, (_, subset) => {
          // What a packet can end is as good as free to it, but in the last 32 tries of a window only.
          const endable = new Set(closing.filter((_port, nth) => (subset >> nth) & 1));
          return byTrying(ports, false, endable);
        }).reduce((sum, share) => sum + share, 0) /
        2 ** closing.length;
      expect(refusalRatio(Uint8Array.from(ports), count, true)).toBeCloseTo(mean, 12);
    }
  });

  it('of closing connections is more than if windows had nothing to do with each other', () => {
    const ports = Array.from({ length: 1000 }, (_, index) => (index % 25 === 0 ? CLOSING : FIRM));
    const apart = byTrying(ports, true);
    expect(refusalRatio(Uint8Array.from(ports), 1000, true)).toBeGreaterThan(1.05 * apart);
  });

  it('is next to nothing where all may be ended, and all where the kernel ends none', () => {
    const closing = new Uint8Array(1000).fill(CLOSING);
    expect(refusalRatio(closing, 1000, true)).toBeLessThan(1e-30);
    expect(refusalRatio(closing, 1000, false)).toBe(1);
  });
});

it.each([
  ['6.1.0-50-amd64', false],
  ['6.4.12', false],
  ['6.5.0', true],
  ['6.12.9+deb13-amd64', true],
])('Linux %s ends closing connections: %s', (kernel, expected) => {
  expect(evictsClosing(kernel)).toBe(expected);
});
