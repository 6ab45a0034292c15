import { describe, expect, it } from 'vitest';
import { slopeOf } from './soak/slope.ts';

/** The same noise on every machine: -1 to 1. */
function noise(count: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state / 2_147_483_647) * 2 - 1;
  });
}

describe('the slope of a line', () => {
  it('is what it was made with', () => {
    const { slope, standardError, mean } = slopeOf([0, 1, 2, 3].map((x) => [x, 5 + 2 * x]));
    expect([slope, standardError, mean]).toEqual([2, 0, 8]);
  });

  it('lies within a few standard errors of it where there is noise', () => {
    const points = noise(500).map((y, x): [number, number] => [x, 0.01 * x + y]);
    const { slope, standardError } = slopeOf(points);
    expect(Math.abs(slope - 0.01)).toBeLessThan(3 * standardError);
    expect(standardError).toBeLessThan(0.001);
  });

  it('is less sure where neighbours are alike', () => {
    const each = noise(100);
    const rough = slopeOf(each.map((y, x) => [x, y]));
    const smooth = slopeOf(each.map((_, x) => [x, each[Math.floor(x / 10)] ?? 0]));
    expect(smooth.standardError).toBeGreaterThan(2 * rough.standardError);
  });
});
