import { html } from 'hono/html';
import { percent } from '../../base/quantities.ts';
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

/** Said of an estimated upper limit: the ratio may be anything below it. */
export const ESTIMATED = 'estimated';

/** `5.0 %`, and where it is estimated `≤ 5.0 %` */
export function ratioText({
  ratio,
  isEstimated,
}: {
  readonly ratio: number;
  readonly isEstimated: boolean;
}): string {
  return `${isEstimated ? '\u2264 ' : ''}${percent(ratio)}`;
}

export function estimatedChip(): Html {
  return html`<span class="chip level-unknown">${ESTIMATED}</span>`;
}

export function levelChip(level: Level): Html {
  return html`<span class="chip level-${level}">${WORDS[level]}</span>`;
}
