import { html } from 'hono/html';
import { percent } from '../../base/quantities.ts';
import type { HourPeak } from '../../status/history.ts';
import { levelOf } from '../../status/level.ts';
import type { NamespaceRow, Status } from '../../status/status.ts';
import { smallBar } from './bar.ts';
import { age, groupedOrDash, type Html, name, namespaceLink, rowId } from './format.ts';
import { ESTIMATED, levelWord, natLevelWord, ratioText } from './levels.ts';
import { type Column, table } from './table.ts';
import { worstText } from './verdict.ts';

/** Rows of the table; all others are links below it. */
const SHOWN = 12;

/** Every namespace, the worst first, each a link to its numbers. */
export function namespacesSection({ namespaces, shown, gone, sample }: Status): Html {
  const others = namespaces.slice(SHOWN);
  return html`<section id="namespaces-section"><h2 id="namespaces">Network namespaces</h2>
${table({ id: 'namespaces', columns: columnsOf(shown?.netns), rows: namespaces.slice(0, SHOWN), rowId: idOf })}
${
  others.length === 0
    ? ''
    : html`<details id="more-namespaces"><summary>${others.length} more, less exhausted</summary><ul class="links">${others.map(
        (row) =>
          html`<li id="${idOf(row)}">${link(row, shown?.netns)} <span class="sub">${worstText(row)}</span>${natTag(row)}</li>`,
      )}</ul></details>`
}
${sample === undefined ? '' : foundNote(namespaces.length, sample)}
${
  gone.length === 0
    ? ''
    : html`<h3>Gone in the last hour</h3><ul class="links">${gone.map(
        (peak) =>
          html`<li id="${rowId('gone', peak.netns)}"><a href="${namespaceLink(peak.netns)}">${name(peak.netns)}</a> <span class="sub">${goneText(peak)}, ${age(peak.agoMs)} ago</span></li>`,
      )}</ul>`
}</section>`;
}

function columnsOf(shown: string | undefined): readonly [Column<NamespaceRow>, ...Column<NamespaceRow>[]] {
  return [
    {
      title: 'Namespace',
      cell: (row) =>
        html`${link(row, shown)} <span class="sub">${row.detail === 'full' ? 'full dump' : ESTIMATED}, ${age(row.ageMs)} old</span>${
          row.kernelDisagrees ? html` <span class="tag warn">kernel disagrees</span>` : ''
        }${natTag(row)}`,
    },
    {
      title: 'Worst',
      isNumber: true,
      cell: (row) => {
        if (row.worst === undefined) return 'not sampled';
        const { ratio, isEstimated } = row.worst.numbers;
        const level = isEstimated ? 'unknown' : levelOf(ratio);
        return html`<span class="level-text level-${level}">${worstText(row)}</span>${
          level === 'ok' || level === 'unknown' ? '' : html` <span class="sub">${levelWord(level)}</span>`
        }${smallBar(ratio, level)}`;
      },
    },
    {
      title: 'Hour',
      isNumber: true,
      cell: ({ hourPeak }) => (hourPeak === undefined ? '\u2013' : ratioText(hourPeak)),
    },
    {
      title: 'Queue',
      isNumber: true,
      cell: ({ fullestQueue }) => (fullestQueue === undefined ? '\u2013' : percent(fullestQueue)),
    },
    { title: 'Sockets', isNumber: true, cell: ({ sockets }) => groupedOrDash(sockets) },
  ];
}

/** The numbers beside it are of calls. */
function natTag({ nat }: NamespaceRow): Html | string {
  const level = nat?.worst?.level ?? 'ok';
  if (level === 'ok') return '';
  return html` <span class="tag warn">NAT: ${natLevelWord(level)}</span>`;
}

/** A level is said of what was measured alone. */
function goneText({ ratio, isEstimated }: HourPeak): string {
  return isEstimated
    ? `at most ${percent(ratio)}, ${ESTIMATED}`
    : `${levelWord(levelOf(ratio))}: ${percent(ratio)}`;
}

function link({ netns }: NamespaceRow, shown: string | undefined): Html {
  return html`<a id="${rowId('link', netns)}" href="${namespaceLink(netns)}"${netns === shown ? html` aria-current="true"` : ''}>${name(netns)}</a>`;
}

function foundNote(
  sampled: number,
  { namespacesFound, namespacesOmitted }: NonNullable<Status['sample']>,
): Html {
  const omitted = namespacesOmitted > 0 ? `, ${namespacesOmitted} omitted by --namespaces.limit` : '';
  return html`<p class="note">${namespacesFound} found, ${sampled} sampled${omitted}. Hour: highest ratio of the last hour. Queue: fullest accept queue.</p>`;
}

function idOf({ netns }: NamespaceRow): string {
  return rowId('netns', netns);
}
