import { html } from 'hono/html';
import { endpoint, onDevice } from '../../base/endpoint.ts';
import { percent } from '../../base/quantities.ts';
import { shellCommand } from '../../base/shell.ts';
import type { NamedDestination } from '../../snapshot/results.ts';
import { explainCommand } from '../../status/explainCommand.ts';
import { levelOf } from '../../status/level.ts';
import type { NamespaceStatus } from '../../status/status.ts';
import { stackedBar, swatch } from './bar.ts';
import { grouped, type Html, heldBy, name, rowId } from './format.ts';
import { levelWord } from './levels.ts';
import { type Column, omission, table } from './table.ts';

/** Rows of a page that is fetched again every few seconds. */
const SHOWN = 50;
/** Owners named below one destination. */
const OWNERS_SHOWN = 3;

/** The fullest destinations of TCP connect(), and what holds their ports. */
export function destinationsSection({ netns, destinations, range }: NamespaceStatus): Html {
  const rows = destinations?.fullest.slice(0, SHOWN) ?? [];
  const [fullest] = rows;
  return html`<section id="destinations-section"><h2 id="destinations">Fullest destinations</h2>
${
  destinations === undefined
    ? html`<p class="absent">Not available: this namespace uses too few ports for a full dump, or sampling TCP failed.</p>`
    : rows.length === 0
      ? html`<p class="absent">No destination holds an ephemeral port.</p>`
      : html`${LEGEND}${table({ id: 'destinations', columns: columnsOf(range?.usable ?? 0), rows, rowId: idOf, below: holders })}
${omission(destinations.total - rows.length, 'destination', 'fewer ports')}
${fullest === undefined ? '' : html`<p class="note">To see what holds the ports of the fullest and what would help, run <code>${name(shellCommand(explainCommand(netns, fullest)))}</code></p>`}`
}</section>`;
}

const LEGEND = html`<ul class="legend" aria-hidden="true">
<li>${swatch('established')}established</li><li>${swatch('time-wait')}TIME_WAIT</li><li>${swatch('other')}other</li><li>${swatch('blocked')}blocked by bind()</li>
</ul>`;

function columnsOf(usable: number): readonly [Column<NamedDestination>, ...Column<NamedDestination>[]] {
  return [
    {
      title: 'To, from',
      cell: (row) =>
        html`<span class="address">${name(endpoint(row.remoteAddress, row.remotePort))}</span> <span class="sub">from <span class="address">${name(onDevice(row.localAddress, row.device))}</span></span>`,
    },
    {
      title: 'Used',
      isNumber: true,
      cell: ({ ratio }) =>
        html`<span class="level-text level-${levelOf(ratio)}">${percent(ratio)}</span>${
          levelOf(ratio) === 'ok' ? '' : html` <span class="sub">${levelWord(levelOf(ratio))}</span>`
        }`,
    },
    {
      title: 'Left',
      isNumber: true,
      cell: ({ available, availableAtLeast = available }) =>
        html`<strong>${availableAtLeast < available ? '\u2265 ' : ''}${grouped(availableAtLeast)}</strong>`,
    },
    { title: 'Ports by state', cell: (row) => statesBar(row, usable) },
    { title: 'Established', isNumber: true, cell: ({ used }) => grouped(used.established) },
    {
      title: 'TIME_WAIT',
      isNumber: true,
      cell: ({ used, reclaimable }) =>
        html`${grouped(used.timeWait)}${reclaimable > 0 ? html` <span class="sub">${grouped(reclaimable)} reusable</span>` : ''}`,
    },
    { title: 'Other', isNumber: true, cell: ({ used }) => grouped(used.other) },
  ];
}

/** Whose ports they are: known from the second sample on that finds the destination among the fullest. */
function holders({ owners = [] }: NamedDestination): Html | '' {
  return heldBy(
    owners.slice(0, OWNERS_SHOWN).map(({ owner, ports }) => ({ who: name(owner ?? ''), ports })),
    owners.slice(OWNERS_SHOWN).reduce((sum, { ports }) => sum + ports, 0),
  );
}

/** What it holds, and beyond that what bind() took from everyone: together all but what is left. */
function statesBar({ used, available }: NamedDestination, usable: number): Html {
  const share = (ports: number) => (usable > 0 ? ports / usable : 0);
  const blocked = Math.max(0, usable - available - used.established - used.timeWait - used.other);
  return stackedBar([
    ['established', share(used.established)],
    ['time-wait', share(used.timeWait)],
    ['other', share(used.other)],
    ['blocked', share(blocked)],
  ]);
}

function idOf({ localAddress, device, remoteAddress, remotePort }: NamedDestination): string {
  return rowId('destination', onDevice(localAddress, device), remoteAddress, remotePort);
}
