import { html } from 'hono/html';
import { formatDuration } from '../../base/duration.ts';
import { endpoint } from '../../base/endpoint.ts';
import { percent } from '../../base/quantities.ts';
import { type Level, levelOf } from '../../status/level.ts';
import type { RegimeNumbers, RegimeStatus, WorstKey } from '../../status/regimes.ts';
import type { Point } from '../../status/timeline.ts';
import { ratioBar } from './bar.ts';
import { grouped, type Html, name } from './format.ts';
import { estimatedChip, levelChip, ratioText } from './levels.ts';
import { sparkline } from './sparkline.ts';

/** `TCP connect()` */
export function regimeName({ protocol, scope }: Pick<RegimeStatus, 'protocol' | 'scope'>): string {
  return `${protocol.toUpperCase()} ${scope}()`;
}

/** The four regimes, always in the same place. `hours`: their last hours, in the same order. */
export function regimeCards(
  regimes: readonly RegimeStatus[],
  hours: readonly (readonly Point[])[] | undefined,
  peakWindowMs: number,
): Html {
  const cards = regimes.map((regime, index) => {
    const id = `regime-${regime.protocol}-${regime.scope}`;
    const level = shownLevel(regime.numbers);
    const hour = hours?.[index];
    return html`<article id="${id}" class="card level-${level}" aria-labelledby="${id}-name">
<h3 id="${id}-name">${regimeName(regime)}</h3>
${regime.numbers === undefined ? UNKNOWN : numbersOf(regime, regime.numbers, peakWindowMs)}
${hour === undefined ? '' : sparkline(regimeName(regime), hour, { top: 1, show: percent, isRatio: true })}
</article>`;
  });
  return html`<div class="cards">${cards}</div>`;
}

/** An estimate has no level: the ratio may be anything below it. */
function shownLevel(numbers: RegimeNumbers | undefined): Level | 'unknown' {
  return numbers === undefined || numbers.isEstimated ? 'unknown' : levelOf(numbers.ratio);
}

const UNKNOWN = html`<p class="absent">Not sampled.</p>`;

function numbersOf(regime: RegimeStatus, numbers: RegimeNumbers, peakWindowMs: number): Html {
  const { ratio, available, availableAtLeast = available, usable, isEstimated, peak, worst } = numbers;
  return html`${isEstimated ? estimatedChip() : levelChip(levelOf(ratio))}
<p class="ratio">${ratioText(numbers)}</p>
<p class="left"><strong>${isEstimated || availableAtLeast < available ? '\u2265 ' : ''}${grouped(availableAtLeast)} left</strong> of ${grouped(usable)}</p>
${ratioBar(ratio, shownLevel(numbers), peak)}
<p class="key">${keyText(worst, regime.scope)}</p>
<p class="outlook"><span>then <code>${regime.error}</code></span> ${
    peak === undefined
      ? ''
      : html`<span>peak ${ratioText({ ratio: peak, isEstimated })} in ${formatDuration(peakWindowMs)}</span>`
  }</p>`;
}

/** Which key the numbers are of. */
function keyText(worst: WorstKey, scope: RegimeStatus['scope']): Html | string {
  switch (worst.kind) {
    case 'destination':
      return html`<span class="address">${name(worst.from)}</span> \u2192 <span class="address">${name(endpoint(worst.to, worst.port))}</span>`;
    case 'address':
      return html`on <span class="address">${name(worst.address)}</span>`;
    case 'any':
      return scope === 'connect' ? 'to any destination' : 'on any address';
    case 'unknown':
      return scope === 'connect' ? 'worst destination unknown' : 'worst address unknown';
  }
}
