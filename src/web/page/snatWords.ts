import { html } from 'hono/html';
import { endpoint } from '../../base/endpoint.ts';
import { percent } from '../../base/quantities.ts';
import type { NatWorst } from '../../status/snat.ts';
import type { NamespaceRow, Status } from '../../status/status.ts';
import { leadOf } from '../../status/worst.ts';
import { grouped, type Html, name, namespaceLink } from './format.ts';
import { natChip, refusedText } from './levels.ts';

/** Namespaces that are named where the page begins. */
const NAMED = 3;

/** The sentence that is read first, where a NAT is the worst: how many packets it loses, and what an application will see. */
export function natVerdict({ netns }: Pick<NamespaceRow, 'netns'>, nat: NatWorst): Html {
  return html`<p id="verdict" class="verdict level-${nat.level}">${natChip(nat.level)}
<a class="netns" href="${natLink(netns)}">${name(netns)}</a>
<strong>${headline(nat)}</strong>
<span>${sentence(nat)}</span></p>`;
}

/** One line for NATs that are near or lose packets, where the first sentence is not about them. */
export function natAlarm({ namespaces }: Pick<Status, 'namespaces'>): Html | string {
  const [first] = namespaces;
  const isSaid = first !== undefined && leadOf(first)?.kind === 'nat';
  const rows = namespaces
    .slice(isSaid ? 1 : 0)
    .flatMap(({ netns, nat }) =>
      nat?.worst === undefined || nat.worst.level === 'ok' ? [] : [{ netns, nat: nat.worst }],
    );
  if (rows.length === 0) return '';
  return html`<p id="nat-alarm" class="alarm"><strong>${rows.some(({ nat }) => nat.level === 'exhausted') ? 'Packets vanish' : 'Packets may soon vanish'}:</strong>
${rows.slice(0, NAMED).map(({ netns, nat }) => html`<span><a href="${natLink(netns)}">${name(netns)}</a> ${headline(nat)}</span> `)}${rows.length > NAMED ? html`<span>${grouped(rows.length - NAMED)} more</span>` : ''}</p>`;
}

function natLink(netns: string): string {
  return `${namespaceLink(netns)}#nat`;
}

/** `TCP behind the NAT to 192.0.2.1:443: up to 25.0 % of new packets vanish` */
function headline(nat: NatWorst): Html | string {
  if (nat.kind === 'table')
    return nat.level === 'exhausted' ? 'conntrack table full' : `conntrack table ${percent(nat.ratio)} full`;
  const { protocol, level, ratio, refusalRatio, destination } = nat;
  const to =
    destination === undefined
      ? 'one destination'
      : html`<span class="address">${name(endpoint(destination.remoteAddress, destination.remotePort))}</span>`;
  return html`${protocol.toUpperCase()} behind the NAT to ${to}: ${
    level === 'exhausted'
      ? `up to ${refusedText(refusalRatio)} of new packets vanish`
      : `${percent(ratio)} of the ports used`
  }`;
}

function sentence(nat: NatWorst): Html {
  if (nat.kind === 'table') {
    const { level, entries, limit } = nat;
    return level === 'exhausted'
      ? html`${grouped(entries)} of ${grouped(limit)} entries: packets of new connections vanish, and connect() takes 1 s or 3 s, or times out.`
      : html`${counted(limit - entries, 'entry', 'entries')} left. Once the table is full, packets of new connections vanish, and connect() takes 1 s or 3 s, or times out.`;
  }
  const { level, protocol, available, refusalRatio, destination } = nat;
  const from =
    destination === undefined ? '' : html` from <span class="address">${name(destination.natAddress)}</span>`;
  if (level === 'exhausted')
    return html`${refusalRatio < 1 ? 'Some new' : 'New'} connections${from} find no port: ${SYMPTOMS[protocol]}.`;
  return html`${counted(available, 'port')} left${from}. As they run out, packets vanish: ${SYMPTOMS[protocol]}.`;
}

/** Digits in groups. */
function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

const SYMPTOMS = {
  tcp: 'connect() takes 1 s or 3 s, or times out',
  udp: 'datagrams are lost, and no sender is told',
} as const;
