import { describe, expect, it } from 'vitest';
import { percent } from '../../../src/base/quantities.ts';
import { BUCKET_MS, type Point } from '../../../src/status/timeline.ts';
import { runs, sparkline, stepPath } from '../../../src/web/page/sparkline.ts';

const GAP: Point = { value: Number.NaN, isEstimated: false };
const at = (value: number): Point => ({ value, isEstimated: false });
const bound = (value: number): Point => ({ value, isEstimated: true });
const drawn = (points: readonly Point[]) =>
  String(sparkline('TCP connect()', points, { top: 1, show: percent, isRatio: true }));
const label = (points: readonly Point[]) => /aria-label="([^"]*)"/.exec(drawn(points))?.[1];

describe('a chart', () => {
  it('is in pieces where there are gaps, and where bounds begin', () => {
    expect(runs([GAP, at(0.1), at(0.2), GAP, GAP, at(0.3), bound(0.9), GAP])).toEqual([
      { from: 1, values: [0.1, 0.2], isEstimated: false },
      { from: 5, values: [0.3], isEstimated: false },
      { from: 6, values: [0.9], isEstimated: true },
    ]);
    expect(runs([GAP, GAP])).toEqual([]);
  });

  it('goes in steps, and says nothing twice', () => {
    expect(stepPath(3, [1, 1, 1, 2, 1], (value) => value * 10)).toBe('M3 10H6V20H7V10H8');
  });

  it('draws the lowest at the bottom and the highest at the top', () => {
    expect(drawn([at(0), at(1)])).toContain('<path class="line" d="M0 39H1V1H2"/>');
  });

  it('draws bounds apart', () => {
    expect(drawn([bound(0.5)])).toContain('<path class="line estimated"');
  });

  it('tells whoever cannot see it the highest, and when', () => {
    const before = `${BUCKET_MS / 1000}s`;
    expect(label([at(0.2), at(0.9), at(0.1)])).toBe(
      `TCP connect(), last hour: highest 90.0 %, ${before} ago`,
    );
    expect(label([at(0.2), at(0.9)])).toBe('TCP connect(), last hour: highest 90.0 %, now');
    expect(label([at(0.9), at(0.9)])).toBe('TCP connect(), last hour: highest 90.0 %, now');
    expect(label([bound(0.9), at(0.1)])).toBe('TCP connect(), last hour: highest 10.0 %, now');
    expect(label([GAP, bound(0.9)])).toBe('TCP connect(), last hour: at most 90.0 %, now');
    expect(label([at(0), at(0)])).toBe('TCP connect(), last hour: highest 0.0 %');
    expect(label([GAP, GAP])).toBe('TCP connect(), last hour: not sampled');
  });
});
