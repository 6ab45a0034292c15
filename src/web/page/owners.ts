import { html } from 'hono/html';
import type { OwnerShare } from '../../status/owners.ts';
import type { NamespaceStatus } from '../../status/status.ts';
import { stackedBar } from './bar.ts';
import { groupedOrDash, type Html, name, rowId } from './format.ts';
import { type Column, omission, table } from './table.ts';

const SHOWN = 20;

/** Whose sockets hold the namespace's usable ports. */
export function ownersSection({ owners, range }: NamespaceStatus): Html {
  const rows = owners?.fullest.slice(0, SHOWN) ?? [];
  return html`<section id="owners-section"><h2 id="owners">Owners of ports</h2>
${
  owners === undefined
    ? html`<p class="absent">Owners are not available.</p>`
    : rows.length === 0
      ? html`<p class="absent">No owner holds an ephemeral port.</p>`
      : html`${table({ id: 'owners', columns: columnsOf(range?.usable ?? 0), rows, rowId: ({ owner }) => rowId('owner', owner) })}
${omission(owners.total - rows.length, 'owner', 'fewer ports')}
<p class="note">unattributed: the kernel keeps no owner for TIME_WAIT.</p>`
}</section>`;
}

function columnsOf(usable: number): readonly [Column<OwnerShare>, ...Column<OwnerShare>[]] {
  const share = (ports = 0) => (usable > 0 ? ports / usable : 0);
  return [
    {
      title: 'Owner',
      cell: ({ owner, tcp, udp }) =>
        html`${name(owner)}${stackedBar([['established', Math.max(share(tcp), share(udp))]])}`,
    },
    { title: 'TCP', isNumber: true, cell: ({ tcp }) => groupedOrDash(tcp) },
    { title: 'UDP', isNumber: true, cell: ({ udp }) => groupedOrDash(udp) },
  ];
}
