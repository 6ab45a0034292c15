import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PeakWindow } from '../../src/aggregate/peak.ts';

it('is the highest value of the window, with what was just seen in it', () => {
  const window = new PeakWindow(60);
  const peaks = [
    [0, 0.2],
    [10, 0.9],
    [20, 0.1],
    [69, 0.3],
    [70, 0.2],
    [200, 0],
  ].map(([at, value]) => window.add(at ?? 0, value ?? 0));
  expect(peaks).toEqual([0.2, 0.9, 0.9, 0.9, 0.3, 0]);
});

it('is the maximum over all values that are young enough', () => {
  const values = fc.array(fc.tuple(fc.nat(30), fc.nat(5)), { minLength: 1 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), values, (length, steps) => {
      const window = new PeakWindow(length);
      const seen: { at: number; value: number }[] = [];
      let now = 0;
      for (const [later, value] of steps) {
        now += later;
        seen.push({ at: now, value });
        const young = seen.filter(({ at }) => at > now - length).map((entry) => entry.value);
        expect(window.add(now, value)).toBe(Math.max(...young));
      }
    }),
  );
});
