/** How near to exhaustion. Alerts, page, dashboard and systemctl status all take their thresholds from the table below. */
export type Level = 'ok' | 'half' | 'near' | 'imminent' | 'exhausted';

/** Calmest first. */
const LEVELS: readonly (readonly [level: Level, leastRatio: number])[] = [
  ['ok', 0],
  ['half', 0.5],
  ['near', 0.8],
  ['imminent', 0.95],
  ['exhausted', 1],
];

/** Ratios at which a bar changes its level before it is full. */
export const THRESHOLDS: readonly number[] = LEVELS.map(([, least]) => least).filter(
  (least) => least > 0 && least < 1,
);

/** The ratio from which on it is that level. */
export function leastRatioOf(wanted: Level): number {
  return LEVELS.find(([level]) => level === wanted)?.[1] ?? 0;
}

export function levelOf(ratio: number): Level {
  return LEVELS.findLast(([, least]) => ratio >= least)?.[0] ?? 'ok';
}

/** 0 for ok, the worse the more. */
export function severityOf(wanted: Level): number {
  return LEVELS.findIndex(([level]) => level === wanted);
}
