import { html } from 'hono/html';
import { percent } from '../../base/quantities.ts';
import type { Level } from '../../status/level.ts';
import type { NatLevel } from '../../status/snat.ts';
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

/** What a NAT does is told by other words than a call that is refused. */
const NAT_WORDS: Readonly<Record<NatLevel, string>> = {
  ok: 'ok',
  near: 'near',
  exhausted: 'packets vanish',
};

export function natLevelWord(level: NatLevel): string {
  return NAT_WORDS[level];
}

export function natChip(level: NatLevel): Html {
  return html`<span class="chip level-${level}">${NAT_WORDS[level]}</span>`;
}

/** `25.0 %`; what is too small to be told is no tenth of a percent. */
export function refusedText(refusalRatio: number): string {
  return refusalRatio > 0 && refusalRatio < 0.001 ? '< 0.1\u202f%' : percent(refusalRatio);
}
