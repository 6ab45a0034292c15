import { html } from 'hono/html';
import type { Level } from '../../status/level.ts';
import type { Html } from './format.ts';

/** A level is told by a word, by the pattern of its bar, and by a colour, never by that alone. */
const WORDS: Readonly<Record<Level, string>> = {
  ok: 'ok',
  half: 'half used',
  near: 'near',
  imminent: 'imminent',
  exhausted: 'exhausted',
};

export function levelWord(level: Level): string {
  return WORDS[level];
}

/** Of an upper bound: what it is a bound of may be anything below. */
export const NOT_READ_WHOLE = 'not read whole';

export function boundChip(): Html {
  return html`<span class="chip level-unknown">${NOT_READ_WHOLE}</span>`;
}

export function levelChip(level: Level): Html {
  return html`<span class="chip level-${level}">${WORDS[level]}</span>`;
}
