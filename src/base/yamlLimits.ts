import { ExporterError } from './errors.ts';

/** Lines, and `[`, `{` and `,` in them: above any web configuration, and above a probe file of a thousand targets. */
const MOST_ITEMS = 6_000;
const DEEPEST_FLOW = 64;
/** Blocks are nested by their indentation, and by dashes behind each other. */
const MOST_INDENTATION = 200;

const NEWLINE = 10;
const SPACE = 32;
const COMMA = 44;
const DASH = 45;
const OPENING: ReadonlySet<number> = new Set([91, 123]);
const CLOSING: ReadonlySet<number> = new Set([93, 125]);

/**
 * Refuses a YAML text whose parsing would take long or much memory, before it is parsed: a parser's time rises with the square
 * of the keys of a map, and its memory by a kilobyte for each bracket. Quotes are not understood, so that characters in texts
 * count as well. Throws an ExporterError that begins with `name`.
 */
export function expectModest(text: string, name: string): void {
  let line = 1;
  let items = 0;
  let depth = 0;
  /** Spaces and dashes that the line begins with; -1 behind them. */
  let indentation = 0;
  const refuse = (what: string, limit: string): never => {
    throw new ExporterError(`${name}:${line}: ${what}: expected at most ${limit}`);
  };
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE) {
      line++;
      indentation = 0;
      if (++items > MOST_ITEMS) refuse('too many lines and items', String(MOST_ITEMS));
      continue;
    }
    if (indentation >= 0 && (code === SPACE || code === DASH)) {
      if (++indentation > MOST_INDENTATION) refuse('nested too deeply', `${MOST_INDENTATION} columns`);
      continue;
    }
    indentation = -1;
    if (OPENING.has(code)) {
      items++;
      if (++depth > DEEPEST_FLOW) refuse('nested too deeply', `${DEEPEST_FLOW} brackets`);
    } else if (CLOSING.has(code)) depth = Math.max(0, depth - 1);
    else if (code === COMMA) items++;
    if (items > MOST_ITEMS) refuse('too many lines and items', String(MOST_ITEMS));
  }
}
