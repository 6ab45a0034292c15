import { createHash } from 'node:crypto';
import { html } from 'hono/html';
import { formatDuration } from '../../base/duration.ts';

/** HTML of which every text was escaped. */
export type Html = ReturnType<typeof html>;

/** `28 232`, with spaces that do not break. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, '\u202f');
}

/** What is not known is a dash. */
export function groupedOrDash(count: number | undefined): string {
  return count === undefined ? '\u2013' : grouped(count);
}

/** `42s`, `1m30s`: whole seconds, from ten minutes on whole minutes. */
export function age(ms: number): string {
  const step = ms < 600_000 ? 1000 : 60_000;
  return formatDuration(Math.floor(ms / step) * step);
}

/** `12 µs`, `1.3 ms`, `204 ms`, `2.0 s`: how long a call took. */
export function elapsed(seconds: number): string {
  const [value, unit] =
    seconds < 0.000_999_5
      ? [seconds * 1e6, '\u00b5s']
      : seconds < 0.999_5
        ? [seconds * 1e3, 'ms']
        : [seconds, 's'];
  return `${unit !== '\u00b5s' && value < 99.95 ? value.toFixed(1) : Math.round(value)}\u202f${unit}`;
}

/** A name that a stranger may have chosen: its direction of writing ends with it. */
export function name(text: string): Html {
  return html`<bdi>${text}</bdi>`;
}

/** `held by web.service 400, others 3`, of which no name breaks at the end of a line. */
export function heldBy(
  holders: readonly { readonly who: Html; readonly ports: number }[],
  others: number,
): Html | '' {
  if (holders.length === 0) return '';
  const parts = [
    ...holders.map(({ who, ports }) => html`${who} ${grouped(ports)}`),
    ...(others > 0 ? [html`others ${grouped(others)}`] : []),
  ];
  return html`held by ${parts.map((part, index) => html`<span>${part}${index < parts.length - 1 ? ',' : ''}</span> `)}`;
}

/** The same for the same words, so that a refreshed page finds its row again; fit for an id, whatever the words are. */
export function rowId(...words: readonly (string | number)[]): string {
  return `r${createHash('sha1').update(JSON.stringify(words)).digest('base64url').slice(0, 12)}`;
}

/** Where a namespace is shown in full. Relative, as every link of the page: a proxy may have put it below a path. */
export function namespaceLink(netns: string): string {
  return `./?${new URLSearchParams({ netns })}`;
}
