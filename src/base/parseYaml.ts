import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import * as z from 'zod/mini';
import { ExporterError } from './errors.ts';
import { expectModest } from './yamlLimits.ts';

// Whoever imports this loads two libraries, megabytes and tens of milliseconds: import() it where there is a file to read.

type Path = readonly PropertyKey[];

export interface ParsedYaml<T> {
  readonly values: T;
  /** An error of the setting at `path`, in the line where it stands: `web.yml:3: tls_server_config.key_file: ...`. */
  errorAt(path: Path, what: string, cause?: unknown): ExporterError;
}

/**
 * A YAML text whose values fit `schema`; those of an empty one are null. Throws an ExporterError that begins with `name` and
 * the line of the first one that does not, and says what the schema has to say to that. Beyond that it shows names of keys
 * only, no value: a password may stand anywhere.
 *
 * @param privateMaps keys of the outermost map under which anybody chooses the keys: these are not shown either, and the
 *   schema gets them as a Map, where any name is as good as another
 * @param scalars `typed` by YAML 1.2: numbers, true and false; or all of them `text` as it stands there, for a format whose
 *   schema decides: where Go reads a string, `0`, `1.50` and `true` are strings. Null is null either way.
 */
export function parseYaml<T>(
  text: string,
  name: string,
  schema: z.ZodMiniType<T>,
  privateMaps: readonly string[] = [],
  scalars: 'typed' | 'text' = 'typed',
): ParsedYaml<T> {
  expectModest(text, name);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    ...{ lineCounter: lines, prettyErrors: false },
    // The library compares each key of a map with every other one.
    uniqueKeys: false,
    ...(scalars === 'text' ? { schema: 'failsafe', customTags: (tags) => [...tags, 'null'] } : {}),
  });
  const unusable = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset);
    return new ExporterError(`${name}:${line}: invalid YAML: ${what} at column ${col}`);
  };
  const [flaw] = [...document.errors, ...document.warnings];
  // The library's own message would quote the text.
  if (flaw !== undefined) throw unusable(flaw.pos[0], flaw.code.toLowerCase().replaceAll('_', ' '));
  const repeated = repeatedKey(document);
  if (repeated !== undefined) throw unusable(repeated, 'duplicate key');
  const loose = looseAlias(document);
  if (loose !== undefined) throw unusable(loose, 'alias without an anchor');

  const lineOf = (path: Path) => lines.linePos(offsetOf(document, path)).line;
  const errorAt = (path: Path, what: string, cause?: unknown) => {
    const place = placeOf(path, privateMaps);
    return new ExporterError(
      `${name}:${lineOf(path)}: ${place === '' ? '' : `${place}: `}${what}`,
      cause === undefined ? {} : { cause },
    );
  };
  const plain = plainValues(document, privateMaps);
  if (plain === undefined) throw unusable(0, 'excessive expansion of aliases');
  const parsed = schema.safeParse(plain);
  if (parsed.success) return { values: parsed.data, errorAt };

  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const place = placeOf(issue.path, privateMaps);
    const unknown = `unknown key ${JSON.stringify(key)}${place === '' ? '' : ` in ${place}`}`;
    throw new ExporterError(`${name}:${lineOf([...issue.path, key])}: ${unknown}: ${issue.message}`);
  }
  throw errorAt(issue?.path ?? [], messageOf(issue));
}

/** A map of these keys and no others. To what is no map the schema says `expected`. */
export function mapOf<Shape extends z.core.$ZodLooseShape>(shape: Shape, expected = 'expected a map') {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `expected one of ${Object.keys(shape).join(', ')}` : expected,
  });
}

/** Where a key of a map stands that another one of that map has, too. */
function repeatedKey(document: Document.Parsed): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          offset = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return offset;
}

/** Where an alias of nothing stands: something unquoted that begins with `*`. */
function looseAlias(document: Document.Parsed): number | undefined {
  const anchors = new Set<string>();
  let offset: number | undefined;
  visit(document, {
    Value(_, { anchor }) {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias(_, { source, range }) {
      if (anchors.has(source)) return undefined;
      offset = range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

/** An item of the outermost list is told by its line. */
function placeOf(path: Path, privateMaps: readonly string[]): string {
  const [outermost, ...inside] = path;
  if (typeof outermost !== 'string') return inside.join('.');
  return privateMaps.includes(outermost) ? outermost : path.join('.');
}

/** What is wrong with a key of a Map is an issue of its own inside that of the Map. */
function messageOf(issue: z.core.$ZodIssue | undefined): string {
  const inner = issue?.code === 'invalid_key' ? issue.issues[0] : issue;
  return inner?.message ?? 'invalid value';
}

/** undefined where a few aliases would become millions of values (`maxAliasCount` of the library). */
function plainValues(document: Document.Parsed, privateMaps: readonly string[]): unknown {
  try {
    const values: unknown = document.toJS() ?? null;
    if (typeof values !== 'object' || values === null || Array.isArray(values)) return values;
    const maps = privateMaps.flatMap((key) => {
      const map = resolved(document, document.getIn([key], true));
      return isMap(map) ? [[key, map.toJS(document, { mapAsMap: true })]] : [];
    });
    return { ...values, ...Object.fromEntries(maps) };
  } catch {
    return undefined;
  }
}

/** Where the key or item at `path` stands, or what is nearest to it. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    const inside = resolved(document, node);
    let place: unknown;
    if (isMap(inside)) {
      const pair = inside.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      place = pair?.key;
      node = pair?.value;
    } else {
      place = isSeq(inside) ? inside.items[Number(step)] : undefined;
      node = place;
    }
    if (isNode(place)) offset = place.range?.[0] ?? offset;
  }
  return offset;
}

function resolved(document: Document.Parsed, node: unknown): Node | undefined {
  if (isAlias(node)) return node.resolve(document);
  return isNode(node) ? node : undefined;
}
