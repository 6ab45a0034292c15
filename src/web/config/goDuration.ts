import { LONGEST_DURATION_MS } from '../../base/duration.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3 },
  ...{ ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
};

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const WHOLE = new RegExp(`^\\+?(?:${PART.source})+$`);

/**
 * A duration as Go writes it (time.ParseDuration), in milliseconds: `500ms`, `1.5s`, `1h30m`, or a bare `0`. Undefined for
 * other numbers without a unit, what is below 0 or above 292 years, and all that is none.
 */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!WHOLE.test(text)) return undefined;
  const parts = [...text.matchAll(PART)].map(([, count, unit = '']) => Number(count) * (UNITS_MS[unit] ?? 0));
  const milliseconds = parts.reduce((sum, part) => sum + part, 0);
  return milliseconds <= LONGEST_DURATION_MS ? milliseconds : undefined;
}
