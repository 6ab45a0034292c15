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
} from 'yaml';
import type { z } from 'zod';
import { ExporterError } from './errors.ts';

type Path = readonly PropertyKey[];

export interface ParsedYaml<T> {
  readonly values: T;
  /** An error of the setting at `path`, in the line where it stands: `probes.yml:7: interval: ...`. */
  errorAt(path: Path, what: string): ExporterError;
}

/**
 * A YAML text whose values fit `schema`. Throws an ExporterError that begins with `name` and the line of the first one
 * that does not, and says what the schema has to say to that.
 */
export function parseYaml<T>(text: string, name: string, schema: z.ZodType<T>): ParsedYaml<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [flaw] = [...document.errors, ...document.warnings];
  if (flaw !== undefined) {
    const { line, col } = lines.linePos(flaw.pos[0]);
    // The library's own message would quote the text.
    const what = flaw.code.toLowerCase().replaceAll('_', ' ');
    throw new ExporterError(`${name}:${line}: not the YAML expected: ${what} at column ${col}`);
  }
  const errorAt = (path: Path, what: string): ExporterError => {
    const { line } = lines.linePos(offsetOf(document, path));
    const place = path.filter((step) => typeof step === 'string').join('.');
    return new ExporterError(`${name}:${line}: ${place === '' ? '' : `${place}: `}${what}`);
  };
  const parsed = schema.safeParse(plainValues(document));
  if (parsed.success) return { values: parsed.data, errorAt };
  const [issue] = parsed.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  throw errorAt([...(issue?.path ?? []), ...unknown], issue?.message ?? 'does not fit');
}

function plainValues(document: Document.Parsed): unknown {
  try {
    return document.toJS();
  } catch {
    // An alias that contains itself, or aliases that multiply to millions.
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
