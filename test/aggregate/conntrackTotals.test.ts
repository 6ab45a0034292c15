import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ConntrackTotals } from '../../src/aggregate/conntrackTotals.ts';

const cpu = (found: number) => ({ found, insert_failed: found, drop: 0, early_drop: found });
const counts = (entries: number, ...found: readonly number[]) => ({
  ...{ entries, limit: 100 },
  cpus: found.map(cpu),
});

it('is what all CPUs have counted, however often their 32 bits wrapped', () => {
  const start = fc.array(fc.nat(2 ** 32 - 1), { minLength: 1, maxLength: 4 });
  const rises = fc.array(fc.nat(2 ** 31 - 1), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(start, fc.array(rises, { maxLength: 20 }), (first, all) => {
      const totals = new ConntrackTotals();
      const counted = first.map(BigInt);
      totals.update(counts(1, ...first));
      for (const rise of all) {
        for (const index of counted.keys())
          counted[index] = (counted[index] ?? 0n) + BigInt(rise[index] ?? 0);
        const shown = counted.map((value) => Number(BigInt.asUintN(32, value)));
        const expected = Number(counted.reduce((sum, one) => sum + one, 0n));
        expect(totals.update(counts(1, ...shown))?.totals).toMatchObject({
          found: expected,
          insert_failed: expected,
          drop: 0,
        });
      }
    }),
  );
});

it('goes on where the module was loaded anew', () => {
  const totals = new ConntrackTotals();
  totals.update(counts(1, 1000, 5));
  expect(totals.update(counts(1, 3, 5))?.totals?.found).toBe(1008);
});

it('is absent until something is tracked, and stays from then on', () => {
  const totals = new ConntrackTotals();
  expect(totals.update(counts(0, 0, 0))).toBeUndefined();
  expect(totals.update(counts(2, 0, 0))).toEqual({ entries: 2, limit: 100, totals: cpu(0) });
  expect(totals.update(counts(0, 0, 0))).toMatchObject({ entries: 0 });
  expect(new ConntrackTotals().update({ entries: 0, limit: undefined, cpus: undefined })).toBeUndefined();
  expect(new ConntrackTotals().update(counts(0, 0, 1))).toMatchObject({ entries: 0, totals: { found: 1 } });
});
