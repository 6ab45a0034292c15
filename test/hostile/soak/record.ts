import { appendFileSync, writeFileSync } from 'node:fs';
import { slopeOf } from './slope.ts';

/** What is looked at, and by how much it may rise in an hour. */
const BOUNDS = {
  'resident memory, MiB': 1,
  'resident memory of children, MiB': 1,
  descriptors: 0.5,
  'descriptors of children': 0.5,
  'CPU time, % of a core': 0.5,
  'event loop lag beyond that of this script, ms': 1,
  'fastest scrape, ms': 1,
  'deleted namespaces still alive': 0.2,
} as const;

type Quantity = keyof typeof BOUNDS;
/** undefined where it could not be looked at. */
export type Look = Readonly<Record<Quantity, number | undefined>>;

const QUANTITIES = Object.keys(BOUNDS) as Quantity[];
/** The heap and the caches take their size first: a quarter of an hour, but never more than half of a short run. */
const WARM_UP_HOURS = 0.25;
/** So many standard errors above its bound a slope is no accident: one in 700. */
const SIGNIFICANT = 3;

/** What every look saw. */
export class SoakRecord {
  readonly #looks: { readonly hours: number; readonly look: Look }[] = [];
  readonly #csv: string | undefined;

  constructor(csv: string | undefined) {
    this.#csv = csv;
    if (csv !== undefined) writeFileSync(csv, `hours,${QUANTITIES.map((name) => `"${name}"`).join()}\n`);
  }

  add(hours: number, look: Look): void {
    this.#looks.push({ hours, look });
    if (this.#csv === undefined) return;
    appendFileSync(this.#csv, `${[hours, ...QUANTITIES.map((name) => look[name] ?? '')].join()}\n`);
  }

  /** A table of all slopes, and those that are too steep. */
  verdict(): { readonly table: string; readonly rising: readonly string[] } {
    const from = Math.min(WARM_UP_HOURS, (this.#looks.at(-1)?.hours ?? 0) / 2);
    const rows = QUANTITIES.map((name) => {
      const points = this.#looks
        .filter(({ hours }) => hours >= from)
        .flatMap(({ hours, look }): [number, number][] => {
          const value = look[name];
          return value === undefined ? [] : [[hours, value]];
        });
      const { slope, standardError, mean } = slopeOf(points);
      const isRising = slope - SIGNIFICANT * standardError > BOUNDS[name];
      return { name, points: points.length, mean, slope, standardError, isRising };
    });
    const cells = rows.map(({ name, points, mean, slope, standardError, isRising }) => [
      ...[name, String(points), mean.toFixed(2), slope.toFixed(3), standardError.toFixed(3)],
      ...[String(BOUNDS[name]), isRising ? 'RISING' : 'ok'],
    ]);
    const head = ['', 'looks', 'mean', 'slope per hour', 'standard error', 'bound', ''];
    return {
      table: aligned([head, ...cells]),
      rising: rows.filter(({ isRising }) => isRising).map(({ name }) => name),
    };
  }
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
