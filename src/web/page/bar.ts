import { html } from 'hono/html';
import { type Level, levelOf, THRESHOLDS } from '../../status/level.ts';
import type { Html } from './format.ts';

/** What a bar is filled with: a level, unknown of an estimate, or one of the states of a destination's ports. */
type Fill = Level | 'unknown' | 'established' | 'time-wait' | 'other' | 'blocked';

/** Fills that are told from the others by a pattern, too. */
const PATTERNED: ReadonlySet<Fill> = new Set([
  'half',
  'near',
  'imminent',
  'exhausted',
  'time-wait',
  'other',
  'blocked',
]);

/** A ratio from 0 to 1 on a scale with the levels' thresholds. `peak`: a mark where it was higher. */
export function ratioBar(ratio: number, level: Level | 'unknown', peak?: number): Html {
  return drawing('bar', [
    ...segment(0, ratio, level),
    THRESHOLDS.map((at) => line('threshold', at)),
    peak === undefined || peak <= ratio ? '' : line('peak', peak),
  ]);
}

/** A ratio in the line of a table. */
export function smallBar(ratio: number, level: Level | 'unknown' = levelOf(ratio)): Html {
  return drawing('bar small', segment(0, ratio, level));
}

/** Parts of one whole, each a share of it, side by side. */
export function stackedBar(parts: readonly (readonly [fill: Fill, share: number])[]): Html {
  let from = 0;
  return drawing(
    'bar small',
    parts.flatMap(([fill, share]) => {
      const drawn = segment(from, share, fill);
      from += share;
      return drawn;
    }),
  );
}

/** One square of a legend. */
export function swatch(fill: Fill): Html {
  return html`<svg class="swatch" aria-hidden="true" width="12" height="12">${segment(0, 1, fill)}</svg>`;
}

/** The patterns, once for the whole document. */
export function patterns(): Html {
  return html`<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>
<pattern id="fill-half" width="8" height="8" patternUnits="userSpaceOnUse"><circle class="ink" cx="4" cy="4" r="1"/></pattern>
<pattern id="fill-near" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="ink" width="2" height="7"/></pattern>
<pattern id="fill-imminent" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="ink" d="M0 0h7v2H0zM0 0v7h2V0z"/></pattern>
<pattern id="fill-exhausted" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="ink" d="M0 0h4v1.5H0zM0 0v4h1.5V0z"/></pattern>
<pattern id="fill-time-wait" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="ink" width="1.5" height="5"/></pattern>
<pattern id="fill-other" width="4" height="4" patternUnits="userSpaceOnUse"><circle class="ink" cx="2" cy="2" r=".9"/></pattern>
<pattern id="fill-blocked" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="ink" width="1.5" height="4"/></pattern>
</defs></svg>`;
}

/** The numbers stand beside it as text, so that a drawing needs none of its own. */
function drawing(classes: string, children: readonly unknown[]): Html {
  return html`<svg class="${classes}" aria-hidden="true" width="100%" height="14"><rect class="track" width="100%" height="100%"/>${children}</svg>`;
}

/** Widths are attributes: the policy of the page allows no inline style. */
function segment(from: number, share: number, fill: Fill): Html[] {
  const [x, width] = [percentage(from), percentage(share)];
  const place = html`x="${x}" width="${width}" height="100%"`;
  return [
    html`<rect class="fill ${fill}" ${place}/>`,
    ...(PATTERNED.has(fill) ? [html`<rect ${place} fill="url(#fill-${fill})"/>`] : []),
  ];
}

function line(classes: string, at: number): Html {
  const x = percentage(at);
  return html`<line class="${classes}" x1="${x}" x2="${x}" y1="0" y2="100%"/>`;
}

function percentage(share: number): string {
  return `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(2)}%`;
}
