import { ExporterError } from './errors.ts';

/** Lines, and `[`, `{`, `,` and `: ` in them: above any web configuration, and above a probe file of a thousand targets. */
const MOST_ITEMS = 12_000;
const DEEPEST_FLOW = 64;
/** Two a text; a thousand targets with every setting, as JSON, have 16 000. */
const MOST_QUOTES = 20_000;
/** Of `- `, `? ` and `: ` behind each other, each of which is a level. */
const MOST_INDICATORS = 64;
/** Anchors, tags and aliases. */
const MOST_PROPERTIES = 1_000;
/** Columns: blocks are nested by their indentation. */
const MOST_INDENTATION = 200;

const SPACES = ' \t';
const NESTING = '-?:';
const PROPERTIES = '&!*';
const BEFORE_TOKEN = /^[\s[{,]?$/;

/**
 * Refuses a YAML text whose parsing would take long, much memory or the whole process, before it is parsed: the parser builds
 * regular expressions as long as an indentation is deep, and takes a kilobyte for each bracket. Quotes are not understood, so
 * that characters in texts count as well. Throws an ExporterError that begins with `name`.
 */
export function expectModest(text: string, name: string): void {
  let line = 1;
  let items = 0;
  let depth = 0;
  let quotes = 0;
  let isIndentation = true;
  let indentation = 0;
  let nested = 0;
  let properties = 0;
  const refuse = (what: string, limit: string): never => {
    throw new ExporterError(`${name}:${line}: ${what}: expected at most ${limit}`);
  };
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '\n') {
      line++;
      items++;
      indentation = 0;
      isIndentation = true;
      nested = 0;
    } else if (SPACES.includes(character)) {
      if (isIndentation && ++indentation > MOST_INDENTATION)
        refuse('nested too deeply', `${MOST_INDENTATION} columns`);
      continue;
    }
    if (character !== '\n') isIndentation = false;
    if (NESTING.includes(character) && (at + 1 === text.length || /\s/.test(text.charAt(at + 1)))) {
      if (++nested > MOST_INDICATORS) refuse('nested too deeply', `${MOST_INDICATORS} indicators`);
      if (character === ':' && ++items > MOST_ITEMS) refuse('too many lines and items', String(MOST_ITEMS));
      continue;
    }
    nested = 0;
    if (
      PROPERTIES.includes(character) &&
      BEFORE_TOKEN.test(text.charAt(at - 1)) &&
      ++properties > MOST_PROPERTIES
    )
      refuse('too many anchors, tags and aliases', String(MOST_PROPERTIES));
    if ((character === '"' || character === "'") && ++quotes > MOST_QUOTES)
      refuse('too many quotes', String(MOST_QUOTES));
    if (character === '[' || character === '{') {
      items++;
      if (++depth > DEEPEST_FLOW) refuse('nested too deeply', `${DEEPEST_FLOW} brackets`);
    } else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
    else if (character === ',') items++;
    if (items > MOST_ITEMS) refuse('too many lines and items', String(MOST_ITEMS));
  }
}
