import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedCounts } from '../../src/status/boundedCounts.ts';

const counts = (limit: number) => new BoundedCounts<string>(limit, (key) => key);
const shown = (all: BoundedCounts<string>) => all.all().map(({ key, count }) => [key, count]);

describe('counts by key', () => {
  it('add up, and the one that rose last is the first', () => {
    const all = counts(10);
    all.add('a', 5, 1);
    all.add('b', 1, 2);
    all.add('a', 2, 3);
    expect(all.all()).toEqual([
      { key: 'a', count: 7, lastAtMs: 3 },
      { key: 'b', count: 1, lastAtMs: 2 },
    ]);
  });

  it('of the same moment begin with the highest', () => {
    const all = counts(10);
    for (const [key, count] of [
      ['a', 1],
      ['b', 3],
      ['c', 2],
    ] as const)
      all.add(key, count, 1);
    expect(shown(all)).toEqual([
      ['b', 3],
      ['c', 2],
      ['a', 1],
    ]);
  });

  it('beyond the limit give up the smallest of those that rose longest ago', () => {
    const all = counts(3);
    all.add('large', 9, 1);
    all.add('small', 1, 2);
    all.add('middle', 5, 3);
    all.add('new', 1, 4);
    expect(shown(all).map(([key]) => key)).toEqual(['new', 'middle', 'large']);
    expect(all.evicted).toBe(1);
  });

  it('never fall, are never more than the limit, and say how many are gone', () => {
    const step = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (steps, limit) => {
        const all = counts(limit);
        const met = new Set<string>();
        let last = new Map<string, number>();
        for (const [index, [key, count]] of steps.entries()) {
          all.add(String(key), count, index);
          met.add(String(key));
          const now = new Map(all.all().map((one) => [one.key, one.count]));
          expect(now.size).toBeLessThanOrEqual(limit);
          expect(now.get(String(key))).toBe((last.get(String(key)) ?? 0) + count);
          expect([...now.keys()].every((one) => one === String(key) || now.get(one) === last.get(one))).toBe(
            true,
          );
          last = now;
        }
        expect(all.evicted).toBeGreaterThanOrEqual(met.size - last.size);
      }),
    );
  });
});
