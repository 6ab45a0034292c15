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
import type { z } from 'zod';
import { ExporterError } from '../../base/errors.ts';
import { keysAt, type WebConfigFile, webConfigSchema } from './schema.ts';

type Path = readonly PropertyKey[];

export interface ParsedWebConfig {
  readonly values: WebConfigFile;
  /** An error of the setting at `path`, in the line where it stands: `web.yml:3: tls_server_config.key_file: ...`. */
  errorAt(path: Path, what: string, cause?: unknown): ExporterError;
}

/**
 * The text of a web configuration file. Throws an ExporterError that begins with `name` and the line. None shows a value
 * of a user: a password may stand where its hash should.
 */
export function parseWebConfig(text: string, name: string): ParsedWebConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const refuse = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset);
    return new ExporterError(`${name}:${line}: not the YAML expected: ${what} at column ${col}`);
  };
  const [flaw] = [...document.errors, ...document.warnings];
  // The library's own message would quote the text.
  if (flaw !== undefined) throw refuse(flaw.pos[0], flaw.code.toLowerCase().replaceAll('_', ' '));
  const loose = looseAlias(document);
  if (loose !== undefined) throw refuse(loose, 'alias without its anchor');
  const lineOf = (path: Path) => lines.linePos(offsetOf(document, path)).line;
  const errorAt = (path: Path, what: string, cause?: unknown) => {
    const place = placeOf(path);
    return new ExporterError(
      `${name}:${lineOf(path)}: ${place === '' ? '' : `${place}: `}${what}`,
      cause === undefined ? {} : { cause },
    );
  };
  const parsed = webConfigSchema.safeParse(plainValues(document));
  if (parsed.success) return { values: parsed.data, errorAt };

  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    throw new ExporterError(
      `${name}:${lineOf([...issue.path, key])}: ${unknownKey(key, issue.path.join('.'))}`,
    );
  }
  throw errorAt(issue?.path ?? [], messageOf(issue));
}

/** Where an alias of nothing stands: something unquoted that begins with `*`. */
function looseAlias(document: Document.Parsed): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function unknownKey(key: string, place: string): string {
  const inside = place === '' ? '' : ` in ${place}`;
  return `unknown key ${JSON.stringify(key)}${inside}; expected one of ${keysAt(place).join(', ')}`;
}

/** What is wrong with a user's name is an issue of its own inside that of the map. */
function messageOf(issue: z.core.$ZodIssue | undefined): string {
  const inner = issue?.code === 'invalid_key' ? issue.issues[0] : issue;
  return inner?.message ?? 'does not fit';
}

/** Names of users are not shown. */
function placeOf(path: Path): string {
  return path[0] === 'basic_auth_users' ? 'basic_auth_users' : path.join('.');
}

/** As plain objects, but the users as a Map: a user may have any name, even that of a member of objects. */
function plainValues(document: Document.Parsed): unknown {
  try {
    const values: unknown = document.toJS() ?? {};
    const users = resolved(document, document.getIn(['basic_auth_users'], true));
    if (typeof values !== 'object' || !isMap(users)) return values;
    return { ...values, basic_auth_users: users.toJS(document, { mapAsMap: true }) };
  } catch {
    // An alias that contains itself, or aliases that multiply to millions.
    return 'no values';
  }
}

/** Where the key at `path` stands, or what is nearest to it. */
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
