import { parseArgs } from 'node:util';

export interface SoakOptions {
  readonly minutes: number;
  /** Between two looks. */
  readonly everySeconds: number;
  /** The main file of the build. */
  readonly main: string;
  /** A CSV file with what each look saw. */
  readonly csv: string | undefined;
}

/** Throws a TypeError. */
export function parseSoakOptions(args: string[], main: string): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      hours: { type: 'string' },
      minutes: { type: 'string' },
      every: { type: 'string', default: '10' },
      main: { type: 'string', default: main },
      csv: { type: 'string' },
    },
  });
  const minutes = values.minutes ?? String(60 * Number(values.hours ?? '1'));
  return {
    minutes: positive('--hours or --minutes', minutes),
    everySeconds: positive('--every', values.every),
    main: values.main,
    csv: values.csv,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && value < Infinity) return value;
  throw new TypeError(`${name}: expected a number above 0, got "${text}"`);
}
