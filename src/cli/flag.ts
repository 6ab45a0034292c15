import { ExporterError, invalidValue } from '../base/errors.ts';

/** One setting that can come from the command line or the environment; T is what its text means. */
export interface Flag<T> {
  /** Heading in the help text, with its colon. */
  readonly group: string;
  readonly describe: string;
  readonly isSwitch: boolean;
  /** Shown by no help text: for the developers. */
  readonly hidden?: boolean;
  /** What its value may be, for a shell to complete; undefined where that is open. */
  readonly suggests?: readonly string[] | 'file' | 'directory';
  /** Text of the default, as a user would write it. */
  readonly default: string;
  /** `texts` are all the values given, at least one. Throws an ExporterError that shows the bad value. */
  fromCommandLine(texts: readonly string[]): T;
  /** For the environment and the default. Throws an ExporterError that shows the bad value. */
  fromText(text: string): T;
}

type Words = Pick<Flag<unknown>, 'group' | 'describe' | 'default' | 'hidden' | 'suggests'>;

/** A flag that takes one value and may be given once. */
export function single<T>(words: Words, parse: (text: string) => T): Flag<T> {
  return { ...words, isSwitch: false, fromCommandLine: (texts) => parse(only(texts)), fromText: parse };
}

/** A flag that takes one value, may be given once, and is undefined where it is not. */
export function optional<T>(words: Omit<Words, 'default'>, parse: (text: string) => T): Flag<T | undefined> {
  return {
    ...single({ ...words, default: '' }, parse),
    fromText: (text) => (text === '' ? undefined : parse(text)),
  };
}

/**
 * A flag that may be given several times; in the environment its values are separated by commas. Where its default is
 * empty there are none.
 */
export function repeatable<T>(words: Words, parse: (text: string) => T): Flag<readonly T[]> {
  return {
    ...words,
    isSwitch: false,
    fromCommandLine: (texts) => texts.map(parse),
    fromText: (text) => (text === '' ? [] : text.split(',').map((item) => parse(item.trim()))),
  };
}

/** Refuses values of one name. */
export function distinct<T extends { readonly name: string }>(flag: Flag<readonly T[]>): Flag<readonly T[]> {
  const checked = (values: readonly T[]): readonly T[] => {
    const names = values.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice === undefined) return values;
    throw new ExporterError(`duplicate value ${quote(twice)}`);
  };
  return {
    ...flag,
    fromCommandLine: (texts) => checked(flag.fromCommandLine(texts)),
    fromText: (text) => checked(flag.fromText(text)),
  };
}

/** A flag that takes no value on the command line, and true or false in the environment. Off by default. */
export function toggle(words: Omit<Words, 'default'>): Flag<boolean> {
  return {
    ...words,
    default: 'false',
    isSwitch: true,
    fromCommandLine: (texts) => parseBoolean(only(texts)),
    fromText: parseBoolean,
  };
}

function only(texts: readonly string[]): string {
  const [text, ...more] = texts;
  if (text === undefined || more.length > 0) {
    throw new ExporterError(`cannot be repeated: ${texts.map(quote).join(', ')}`);
  }
  return text;
}

function parseBoolean(text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw invalidValue(text, 'true or false');
}

function quote(text: string): string {
  return JSON.stringify(text);
}
