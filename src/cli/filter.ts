import { ExporterError } from '../base/errors.ts';

/** What a key may be compared with, by key. Each throws an ExporterError for a value that does not fit. */
export type FilterKeys = Readonly<Record<string, (text: string) => unknown>>;

/** What each key was compared with; all of it must hold. */
export type Filter<K extends FilterKeys> = { readonly [Key in keyof K]?: ReturnType<K[Key]> };

const EQUALS: ReadonlySet<string | undefined> = new Set(['=', '==', 'eq']);
const OTHERS: ReadonlySet<string> = new Set([
  ...['!=', 'ne', 'neq', '>', '<', '>=', '<=', 'gt', 'lt', 'ge', 'geq', 'le', 'leq'],
  ...['or', '|', '||', 'not', '!', '(', ')'],
]);
const AND: ReadonlySet<string | undefined> = new Set(['and', '&', '&&']);

/**
 * The part of ss's filters that is common: `dport = :443 and owner nginx.service`, where `=` and `and` may be left out, as
 * one argument or several. Throws an ExporterError that shows the word that does not fit and says what was expected.
 *
 * @param bare the key of a value that stands alone
 */
export function parseFilter<K extends FilterKeys>(
  words: readonly string[],
  keys: K,
  bare?: keyof K & string,
): Filter<K> {
  const left = [...words];
  const filter: Record<string, unknown> = {};
  const expected = `${bare === undefined ? '' : 'PORT or '}${Object.keys(keys).join(', ')} with a value`;
  while (left.length > 0) {
    left.unshift(...(left.shift() ?? '').trim().split(/\s+/));
    const [word = ''] = left;
    const [, key = word, attached] = /^([^=]+)==?(.*)$/s.exec(word) ?? [];
    const parse = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (parse !== undefined) {
      left.shift();
      set(
        filter,
        key,
        inNameOf(key, () => parse(takeValue(left, word, attached))),
      );
    } else if (OTHERS.has(word)) {
      throw invalidFilter(word, `only = and "and"; ${expected}`);
    } else if (bare !== undefined && /^:?[\w-]+$/.test(word)) {
      left.shift();
      set(filter, bare, bareValue(word, keys[bare], expected));
    } else throw invalidFilter(word, expected);
    if (left.length > 1 && AND.has(left[0])) left.shift();
  }
  return filter as Filter<K>;
}

/** Takes the value, and what stands before it, from `left`. `attached`: what stood behind a `=` of the key's word. */
function takeValue(left: string[], word: string, attached: string | undefined): string {
  if (attached !== undefined && attached !== '') return attached;
  if (attached === undefined && EQUALS.has(left[0])) left.shift();
  const value = left.shift();
  if (value === undefined || value === '') throw new ExporterError('has no value');
  if (OTHERS.has(value)) throw invalidFilter(`${word} ${value}`, 'only =');
  return attached === undefined && /^==?./.test(value) ? value.replace(/^==?/, '') : value;
}

function bareValue(word: string, parse: FilterKeys[string] | undefined, expected: string): unknown {
  try {
    return parse?.(word);
  } catch (error) {
    if (error instanceof ExporterError && !/^:?\d/.test(word)) throw invalidFilter(word, expected);
    throw error;
  }
}

function set(filter: Record<string, unknown>, key: string, value: unknown): void {
  if (Object.hasOwn(filter, key)) throw new ExporterError(`${key}: cannot be repeated`);
  filter[key] = value;
}

function inNameOf<T>(key: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof ExporterError ? new ExporterError(`${key}: ${error.message}`) : error;
  }
}

function invalidFilter(word: string, expected: string): ExporterError {
  return new ExporterError(`invalid filter ${JSON.stringify(word)}: expected ${expected}`);
}

/** The words of a command's `[filter..]`. */
export function filterWords(commandLine: Readonly<Record<string, unknown>>): string[] {
  return [commandLine['filter'] ?? []].flat().map(String);
}
