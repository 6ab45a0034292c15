import { ExporterError, invalidValue } from './errors.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Largest first: the order in which a duration must name its units. The values are milliseconds. */
const UNITS = [
  ['y', 365 * DAY],
  ['w', 7 * DAY],
  ['d', DAY],
  ['h', HOUR],
  ['m', MINUTE],
  ['s', SECOND],
  ['ms', 1],
] as const;

const PATTERN = new RegExp(`^${UNITS.map(([unit]) => `(?:(\\d+)${unit})?`).join('')}$`);

/** Prometheus counts nanoseconds in 64 signed bits, which end here: 292 years in milliseconds. */
export const LONGEST_DURATION_MS = 9_223_372_036_854;

/**
 * A duration as Prometheus writes it, in milliseconds: `500ms`, `15s`, `1h30m`, or a bare `0`. Each unit stands at
 * most once, the larger before the smaller (prometheus/common, model.ParseDuration). Throws an ExporterError.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const counts = PATTERN.exec(text)?.slice(1);
  if (text === '' || counts === undefined) {
    throw new ExporterError(
      `invalid duration ${JSON.stringify(text)}: expected one like 500ms, 15s or 1h30m`,
    );
  }
  const milliseconds = UNITS.reduce((sum, [, size], index) => sum + Number(counts[index] ?? 0) * size, 0);
  if (milliseconds > LONGEST_DURATION_MS) {
    throw new ExporterError(`invalid duration ${JSON.stringify(text)}: expected at most 292y`);
  }
  return milliseconds;
}

/** A duration in milliseconds, from `leastMs` to a day: timers count in 31 bits, and longer ones would fire at once. */
export function parsePeriod(text: string, leastMs = 1): number {
  const milliseconds = parseDuration(text);
  if (milliseconds >= leastMs && milliseconds <= DAY) return milliseconds;
  throw invalidValue(text, `a duration from ${formatDuration(leastMs)} to ${formatDuration(DAY)}`);
}

/**
 * Milliseconds, none or more, as Prometheus writes them (model.Duration.String): a fraction of a millisecond is
 * rounded away. Years and weeks are named only where nothing smaller remains, since 90d reads better than 12w6d.
 */
export function formatDuration(milliseconds: number): string {
  let rest = Math.round(milliseconds);
  let text = '';
  for (const [unit, size] of UNITS) {
    const onlyWhole = unit === 'y' || unit === 'w';
    if (rest < size || (onlyWhole && rest % size !== 0)) continue;
    text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text === '' ? '0s' : text;
}
