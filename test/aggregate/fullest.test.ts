import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullest } from '../../src/aggregate/fullest.ts';

/** Limits on both sides of where another way becomes the cheaper one. */
it.each([
  ['few', fc.nat(12)],
  ['many', fc.integer({ min: 500, max: 530 })],
  ['any', fc.oneof(fc.constant(0), fc.nat(1000), fc.constant(Number.MAX_SAFE_INTEGER))],
])('%s are what sorting all would give: the fullest first, of equals the lower row', (_, limits) => {
  const scores = fc.array(fc.nat(9), { maxLength: 700, size: 'max' });
  fc.assert(
    fc.property(scores, limits, (all, limit) => {
      const sorted = all
        .map((score, row) => ({ score, row }))
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .map(({ row }) => row);
      expect(fullest(limit, all.length, (row) => all[row] ?? 0)).toEqual(sorted.slice(0, limit));
    }),
  );
});
