import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullest } from '../../src/aggregate/fullest.ts';

it('is what sorting all of them would give: the fullest first, of equals the lower row', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9)), fc.nat(12), (scores, limit) => {
      const sorted = scores
        .map((score, row) => ({ score, row }))
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .map(({ row }) => row);
      expect(fullest(limit, scores.length, (row) => scores[row] ?? 0)).toEqual(sorted.slice(0, limit));
    }),
  );
});
