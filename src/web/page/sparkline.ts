import { html } from 'hono/html';
import { type Level, levelOf, THRESHOLDS } from '../../status/level.ts';
import { BUCKET_MS, type Point } from '../../status/timeline.ts';
import { age, type Html } from './format.ts';

const HEIGHT = 40;

/**
 * The last hour as steps, oldest first; nothing is drawn where nothing is known.
 *
 * @param top value at the upper edge
 * @param show a value in words
 */
export function sparkline(
  title: string,
  points: readonly Point[],
  {
    top,
    show,
    isRatio,
  }: { readonly top: number; readonly show: (value: number) => string; readonly isRatio: boolean },
): Html {
  const highest = highestOf(points);
  const summary = summaryOf(highest, show);
  const y = (value: number) => round(HEIGHT - 1 - (value / (top || 1)) * (HEIGHT - 2));
  const level = isRatio && highest !== undefined ? levelOfPoint(highest) : 'ok';
  const drawn = runs(points).map(({ from, values, isEstimated }) => {
    const steps = stepPath(from, values, y);
    return html`<path class="area" d="${steps}V${HEIGHT}H${from}Z"/><path class="line${isEstimated ? ' estimated' : ''}" d="${steps}"/>`;
  });
  const thresholds = isRatio
    ? THRESHOLDS.map(
        (at) => html`<line class="threshold" x1="0" x2="${points.length}" y1="${y(at)}" y2="${y(at)}"/>`,
      )
    : [];
  return html`<figure class="hour">
<svg class="sparkline level-${level}" role="img" aria-label="${title}, last hour: ${summary}" viewBox="0 0 ${points.length} ${HEIGHT}" preserveAspectRatio="none" width="100%" height="${HEIGHT}">${thresholds}${drawn}</svg>
<figcaption><span aria-hidden="true">1h ago</span><span>${summary}</span><span aria-hidden="true">now</span></figcaption>
</figure>`;
}

/** An estimate has no level. */
function levelOfPoint({ value, isEstimated }: Point): Level | 'unknown' {
  return isEstimated ? 'unknown' : levelOf(value);
}

/** An estimate is an upper limit, and nothing is highest at no time. */
function summaryOf(highest: ReturnType<typeof highestOf>, show: (value: number) => string): string {
  if (highest === undefined) return 'not sampled';
  const words = `${highest.isEstimated ? 'at most' : 'highest'} ${show(highest.value)}`;
  if (highest.value === 0) return words;
  return `${words}, ${highest.agoMs < BUCKET_MS ? 'now' : `${age(highest.agoMs)} ago`}`;
}

interface Run {
  /** Index of its first point. */
  readonly from: number;
  readonly values: number[];
  readonly isEstimated: boolean;
}

/** Points without a gap between them, and of one kind. */
export function runs(points: readonly Point[]): Run[] {
  const found: Run[] = [];
  let current: Run | undefined;
  for (const [index, { value, isEstimated }] of points.entries()) {
    if (Number.isNaN(value)) {
      current = undefined;
    } else if (current !== undefined && current.isEstimated === isEstimated) {
      current.values.push(value);
    } else {
      current = { from: index, values: [value], isEstimated };
      found.push(current);
    }
  }
  return found;
}

/** One unit of width a value; a value that stays costs nothing. */
export function stepPath(from: number, values: readonly number[], y: (value: number) => number): string {
  let path = '';
  let height = Number.NaN;
  for (const [index, value] of values.entries()) {
    const next = y(value);
    if (next !== height) path += index === 0 ? `M${from} ${next}` : `H${from + index}V${next}`;
    height = next;
  }
  return `${path}H${from + values.length}`;
}

/** The latest of the highest; an estimate only where nothing more is known. */
function highestOf(points: readonly Point[]): (Point & { readonly agoMs: number }) | undefined {
  const known = points.filter(({ value }) => !Number.isNaN(value));
  const told = known.filter(({ isEstimated }) => !isEstimated);
  const candidates = told.length > 0 ? told : known;
  const highest = candidates.reduce<Point | undefined>(
    (best, point) => (best === undefined || point.value >= best.value ? point : best),
    undefined,
  );
  return highest && { ...highest, agoMs: (points.length - 1 - points.lastIndexOf(highest)) * BUCKET_MS };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
