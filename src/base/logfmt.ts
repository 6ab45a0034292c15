/**
 * One line of `key=value` pairs without its newline. A value that holds a space, a quote, `=` or a control character
 * stands in quotes and is escaped as in JSON; objects and arrays are their JSON; undefined values are left out.
 */
export function logfmtLine(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${logfmtKey(key)}=${logfmtValue(value)}`)
    .join(' ');
}

/**
 * Control, bidirectional and other invisible characters and line separators as `\uXXXX`. JSON escapes only the ones
 * below U+0020, but a terminal also obeys others, and log lines carry names that strangers chose.
 */
export function escapeInvisible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

function logfmtKey(key: string): string {
  const safe = key.replace(/[\s"=\\\p{C}]/gu, '_');
  return safe === '' ? '_' : safe;
}

function logfmtValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return /^[^\s"=\\\p{C}]+$/u.test(text) ? text : escapeInvisible(JSON.stringify(text));
}
