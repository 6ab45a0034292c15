import { html } from 'hono/html';
import { endpoint } from '../../base/endpoint.ts';
import { percent } from '../../base/quantities.ts';
import { levelOf } from '../../status/level.ts';
import type { NamespaceRow, Status } from '../../status/status.ts';
import { type Lead, leadOf, type WorstRegime } from '../../status/worst.ts';
import { grouped, type Html, name, namespaceLink } from './format.ts';
import { ESTIMATED, estimatedChip, levelChip, levelWord, natLevelWord, ratioText } from './levels.ts';
import { refusedWords } from './refusals.ts';
import { regimeName } from './regimeCards.ts';
import { natVerdict } from './snatWords.ts';

/** The one sentence that is read first: how near the worst of all is, and what an application will see. */
export function verdict({ namespaces, sample }: Status): Html {
  const [worst] = namespaces;
  const lead = worst && leadOf(worst);
  if (sample === undefined || worst === undefined || lead === undefined) {
    return html`<p id="verdict" class="verdict level-unknown"><strong>No data.</strong> Sampling failed; earlier numbers are not shown.</p>`;
  }
  if (lead.kind === 'nat') return natVerdict(worst, lead.nat);
  const { call } = lead;
  const { isEstimated, ratio } = call.numbers;
  const level = levelOf(ratio);
  return html`<p id="verdict" class="verdict level-${isEstimated ? 'unknown' : level}">${isEstimated ? estimatedChip() : levelChip(level)}
<a class="netns" href="${namespaceLink(worst.netns)}">${name(worst.netns)}</a>
<strong>${regimeName(call)} ${isEstimated ? 'at most ' : ''}${percent(ratio)}</strong>
<span>${sentence(call)}</span></p>`;
}

/** What the tab is called: the worst comes first, because a tab is narrow. */
export function documentTitle({ namespaces, problem, refusals }: Status, hostname: string): string {
  const [worst] = namespaces;
  const words = titleOf(worst && leadOf(worst));
  return `${problem === undefined ? '' : '! '}${refusedWords({ refusals })}${words} \u00b7 ${hostname} \u00b7 port-exporter`;
}

function titleOf(lead: Lead | undefined): string {
  if (lead === undefined) return 'no data';
  if (lead.kind === 'nat') return `NAT: ${natLevelWord(lead.nat.level)}`;
  const { ratio, isEstimated } = lead.call.numbers;
  return isEstimated
    ? `\u2264 ${percent(ratio)} ${ESTIMATED}`
    : `${percent(ratio)} ${levelWord(levelOf(ratio))}`;
}

/** `≤ 5.0 % ok` and the like, for the line of a table. */
export function worstText({ worst }: NamespaceRow): string {
  if (worst === undefined) return 'not sampled';
  return ratioText(worst.numbers);
}

function sentence({ error, scope, numbers }: WorstRegime): Html {
  const { available, availableAtLeast = available, worst, isEstimated } = numbers;
  const call = `${scope}() ${available === 1 ? 'call' : 'calls'}`;
  const where =
    worst.kind === 'destination'
      ? html` from <span class="address">${name(worst.from)}</span> to <span class="address">${name(endpoint(worst.to, worst.port))}</span>`
      : worst.kind === 'address'
        ? html` on <span class="address">${name(worst.address)}</span>`
        : '';
  if (isEstimated && available === 0)
    return html`Estimated: not all sockets were read, so the number of ${scope}() calls left is unknown.`;
  if (available === 0) return html`The next ${scope}() call${where} fails with <code>${error}</code>.`;
  if (availableAtLeast < available)
    return html`Between ${grouped(availableAtLeast)} and ${grouped(available)} more ${call}${where} succeed, then <code>${error}</code>: some ports may be blocked.`;
  return html`${isEstimated ? 'At least ' : ''}${grouped(available)} more ${call}${where} ${available === 1 ? 'succeeds' : 'succeed'}, then <code>${error}</code>.`;
}
