import { html } from 'hono/html';
import { endpoint } from '../../base/endpoint.ts';
import type { DescribedListener } from '../../snapshot/describedListener.ts';
import { levelOf } from '../../status/level.ts';
import { queueRatioOf } from '../../status/listeners.ts';
import type { NamespaceStatus } from '../../status/status.ts';
import { smallBar } from './bar.ts';
import { grouped, groupedOrDash, type Html, name, rowId } from './format.ts';
import { levelWord } from './levels.ts';
import { type Column, omission, table } from './table.ts';

/** Rows of a page that is fetched again every few seconds; those in trouble come first. */
const SHOWN = 50;

/** Who listens, and how full the queues are. */
export function listenersSection({ listeners }: NamespaceStatus): Html {
  const rows = listeners.fullest.slice(0, SHOWN);
  return html`<section id="listeners-section"><h2 id="listeners">Listeners</h2>
${
  rows.length === 0
    ? html`<p class="absent">No listeners found.</p>`
    : html`${table({ id: 'listeners', columns: COLUMNS, rows, rowId: idOf })}
${omission(listeners.total - rows.length, 'listener', 'emptier queues')}`
}</section>`;
}

const COLUMNS: readonly [Column<DescribedListener>, ...Column<DescribedListener>[]] = [
  {
    title: 'Listener',
    cell: (row) =>
      html`<span class="address">${name(endpoint(row.address, row.port))}</span>${
        row.protocol === 'udp' ? html` <span class="tag">udp</span>` : ''
      }${row.inEphemeralRange ? html` <span class="tag warn">in the ephemeral range</span>` : ''} <span class="sub">${holder(row)}</span>`,
  },
  { title: 'Queue', isNumber: true, cell: queueCell },
  {
    title: 'Drops',
    isNumber: true,
    cell: ({ dropped }) =>
      (dropped ?? 0) > 0 ? html`<strong>${grouped(dropped ?? 0)}</strong>` : groupedOrDash(dropped),
  },
  { title: 'Connections', isNumber: true, cell: ({ connections }) => groupedOrDash(connections) },
];

function queueCell(row: DescribedListener): Html | string {
  if (row.acceptQueue === undefined) return groupedOrDash(undefined);
  const ratio = queueRatioOf(row);
  const level = levelOf(ratio ?? 0);
  return html`<span class="level-text level-${level}">${grouped(row.acceptQueue)}</span><span class="of">/${groupedOrDash(row.acceptQueueLimit)}</span>${
    level === 'ok' ? '' : html` <span class="sub">${level === 'exhausted' ? 'full' : levelWord(level)}</span>`
  }${ratio === undefined || ratio === 0 ? '' : smallBar(ratio)}`;
}

/** Service, process, user and owner, as far as they are known. */
function holder({ service, process, pid, user, owner }: DescribedListener): Html {
  const parts = [
    service,
    process === '' ? '' : `${process}${pid === undefined ? '' : `/${pid}`}`,
    user,
    owner,
  ].filter((part) => part !== '');
  return html`${parts.map((part, index) => html`${index === 0 ? '' : ' \u00b7 '}${name(part)}`)}`;
}

function idOf({ protocol, address, port }: DescribedListener): string {
  return rowId('listener', protocol, address, port);
}
