/** A straight line through points. */
export interface Slope {
  /** By how much the value rises while the other grows by 1. */
  readonly slope: number;
  /** Of the slope, widened where neighbours are alike: they tell less than as many independent points would. */
  readonly standardError: number;
  readonly mean: number;
}

/** Least squares. NaN with fewer than three points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): Slope {
  const count = points.length;
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / count;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const residuals = points.map(([x, y]) => y - meanY - slope * (x - meanX));
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, 0);
  const independent = Math.sqrt(squares / (count - 2) / spread);
  return { slope, standardError: independent * wideningBy(residuals, squares), mean: meanY };
}

/** For residuals that follow each other with a correlation r, sqrt((1 + r) / (1 - r)). */
function wideningBy(residuals: readonly number[], squares: number): number {
  if (squares === 0) return 1;
  const products = residuals.slice(1).reduce((sum, residual, at) => sum + residual * (residuals[at] ?? 0), 0);
  const r = Math.min(Math.max(products / squares, 0), 0.99);
  return Math.sqrt((1 + r) / (1 - r));
}
