import { escapeInvisible } from './logfmt.ts';

/**
 * Text that strangers chose, fit for a label and for a terminal: controls, bidirectional and other invisible characters
 * as `\uXXXX`, halves of surrogate pairs as U+FFFD. At most `limit` UTF-16 units, the last an ellipsis where it was cut.
 */
export function printable(text: string, limit: number): string {
  if (text.length <= limit && /^[ -~]*$/.test(text)) return text;
  let shown = '';
  let cut = '';
  for (const character of text) {
    shown += /\p{Cs}/u.test(character) ? '\ufffd' : escapeInvisible(character);
    if (shown.length > limit) return `${cut}\u2026`;
    if (shown.length < limit) cut = shown;
  }
  return shown;
}
