/** How near to exhaustion. The least ratios of the levels are those that the alerts stand on. */
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
export const THRESHOLDS: readonly number[] = [0.5, 0.8, 0.95];

export function levelOf(ratio: number): Level {
  return LEVELS.findLast(([, least]) => ratio >= least)?.[0] ?? 'ok';
}

/** 0 for ok, the worse the more. */
export function severityOf(wanted: Level): number {
  return LEVELS.findIndex(([level]) => level === wanted);
}
