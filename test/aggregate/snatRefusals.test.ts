import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evictsClosing, Held, refusalRatio } from '../../src/aggregate/snatRefusals.ts';

const FREE = 0;
const FIRM = Held.HELD | Held.ESTABLISHED | Held.FIRM;
const CLOSING = Held.HELD | Held.TIME_WAIT;

/** nf_nat_l4proto_unique_tuple(), offset by offset and try by try, with nothing but the ports themselves. */
function byTrying(ports: readonly number[], evicts: boolean): number {
  let ratio = 1;
  for (let attempts = Math.min(ports.length, 128); ; attempts /= 2) {
    let refused = 0;
    for (let offset = 0; offset < 65_536; offset++) {
      let chance = 1;
      for (let nth = 0; nth < attempts && chance > 0; nth++) {
        const port = ports[((offset + nth) & 0xffff) % ports.length];
        if (port === FREE) chance = 0;
        else if (port === CLOSING && evicts && attempts - nth <= 32) chance /= 2;
      }
      refused += chance;
    }
    ratio *= refused / 65_536;
    if (attempts >= ports.length || attempts < 16) return ratio;
  }
}

describe('the share of packets that find no port', () => {
  it('is what trying every offset gives', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 140 }), fc.integer({ min: 141, max: 2000 }));
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
        (count, { free, closing }, asBlock, evicts, dice) => {
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
