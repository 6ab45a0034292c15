import { html } from 'hono/html';
import type { FullSnatDestination } from '../../aggregate/snat.ts';
import { portCount, USUAL_PORTS } from '../../aggregate/snatPorts.ts';
import { endpoint } from '../../base/endpoint.ts';
import { percent } from '../../base/quantities.ts';
import { shellCommand } from '../../base/shell.ts';
import type { PeakedSnatRegime } from '../../snapshot/results.ts';
import { snatCommand } from '../../status/explainCommand.ts';
import { type NatLevel, type NatStatus, type NatTable, natLevelOf } from '../../status/snat.ts';
import type { NamespaceStatus } from '../../status/status.ts';
import { smallBar, stackedBar, swatch } from './bar.ts';
import { grouped, groupedOrDash, type Html, heldBy, name, rowId } from './format.ts';
import { natLevelWord, refusedText } from './levels.ts';
import { type Column, omission, table } from './table.ts';

/** Rows of a page that is fetched again every few seconds. */
const SHOWN = 50;

/** Ports behind a NAT and the table of connections; nothing where connections are not translated and the table is not near. */
export function natSection({ netns, nat }: Pick<NamespaceStatus, 'netns' | 'nat'>): Html | string {
  if (nat === undefined) return '';
  const { ports } = nat;
  if (ports === undefined && nat.table?.level === 'ok') return '';
  const rows = ports?.destinations.fullest.slice(0, SHOWN) ?? [];
  return html`<section id="nat-section"><h2 id="nat">${ports === undefined ? 'Connection tracking' : 'Ports behind the NAT'}</h2>
${table({ id: 'nat', columns: WORST_COLUMNS, rows: worstRows(nat), rowId: ({ id }) => rowId('nat', id) })}
${
  rows.length === 0
    ? ''
    : html`<h3 id="nat-destinations">Fullest destinations behind the NAT</h3>${LEGEND}
${table({ id: 'nat-destinations', columns: COLUMNS, rows, rowId: idOf, below: holders })}
${omission((ports?.destinations.total ?? 0) - rows.length, 'destination', 'fewer ports')}
${commandNote(netns, rows, ports?.rangePorts)}`
}
${ports === undefined ? '' : REFUSED_NOTE}</section>`;
}

const REFUSED_NOTE = html`<p class="note">Refused: share of new packets that find no port, at most. They vanish: nobody gets an error, <code>connect()</code> takes 1 s or 3 s, or times out.</p>`;

/** The range is none that the command could know. */
function commandNote(
  netns: string,
  rows: readonly FullSnatDestination[],
  range: number | undefined,
): Html | '' {
  const [first] = rows;
  if (first === undefined) return '';
  const most = rows.reduce((worst, row) => (row.refusalRatio > worst.refusalRatio ? row : worst), first);
  const command = shellCommand(snatCommand(netns, most));
  return html`<p class="note">To see who holds the ports of the worst and what would help, run <code>${name(command)}</code>${
    range === portCount(USUAL_PORTS) ? '' : html` with the <code>--snat.ports</code> of this exporter`
  }</p>`;
}

/** A protocol's worst destination, or the table. */
interface WorstRow {
  readonly id: string;
  readonly name: string;
  readonly sub: string;
  readonly level: NatLevel;
  readonly ratio: number | undefined;
  readonly left: number | undefined;
  readonly refusalRatio?: number;
  readonly peakRatio?: number;
}

function worstRows({ ports, table }: NatStatus): WorstRow[] {
  const protocols = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const regime = ports?.[protocol];
    return regime === undefined || regime.destinations === 0 ? [] : [protocolRow(protocol, regime)];
  });
  return [...protocols, ...(table === undefined ? [] : [tableRow(table)])];
}

function protocolRow(protocol: 'tcp' | 'udp', regime: PeakedSnatRegime): WorstRow {
  const { ratio, refusalRatio, peakRatio, available, destinations } = regime;
  return {
    ...{ id: protocol, name: protocol.toUpperCase(), level: natLevelOf(regime) },
    sub: `${grouped(destinations)} ${destinations === 1 ? 'destination' : 'destinations'}`,
    ...{ ratio, refusalRatio, peakRatio, left: available },
  };
}

function tableRow({ entries, limit, ratio, level }: NatTable): WorstRow {
  return {
    ...{ id: 'table', name: 'conntrack table', level, ratio },
    sub:
      limit === undefined
        ? `${grouped(entries)} entries`
        : `${grouped(entries)} of ${grouped(limit)} entries`,
    left: limit === undefined ? undefined : Math.max(0, limit - entries),
  };
}

const WORST_COLUMNS: readonly [Column<WorstRow>, ...Column<WorstRow>[]] = [
  { title: 'Worst of', cell: (row) => html`${row.name} <span class="sub">${row.sub}</span>` },
  {
    title: 'Used',
    isNumber: true,
    cell: ({ ratio, level }) =>
      ratio === undefined ? '\u2013' : html`${usedText(ratio, level)}${smallBar(ratio, level)}`,
  },
  { title: 'Left', isNumber: true, cell: ({ left }) => html`<strong>${groupedOrDash(left)}</strong>` },
  {
    title: 'Refused',
    isNumber: true,
    cell: ({ refusalRatio }) => (refusalRatio === undefined ? '\u2013' : refusedText(refusalRatio)),
  },
  {
    title: 'Peak',
    isNumber: true,
    cell: ({ peakRatio }) => (peakRatio === undefined ? '\u2013' : percent(peakRatio)),
  },
];

const LEGEND = html`<ul class="legend" aria-hidden="true">
<li>${swatch('established')}established</li><li>${swatch('time-wait')}TIME_WAIT</li><li>${swatch('other')}other</li>
</ul>`;

const COLUMNS: readonly [Column<FullSnatDestination>, ...Column<FullSnatDestination>[]] = [
  {
    title: 'To, NAT address',
    cell: ({ protocol, remoteAddress, remotePort, natAddress, zone }) =>
      html`<span class="address">${name(endpoint(remoteAddress, remotePort))}</span>${
        protocol === 'udp' ? html` <span class="tag">udp</span>` : ''
      } <span class="sub">from <span class="address">${name(natAddress)}</span>${zone === 0 ? '' : `, zone ${zone}`}</span>`,
  },
  { title: 'Used', isNumber: true, cell: (row) => usedText(row.ratio, natLevelOf(row)) },
  { title: 'Left', isNumber: true, cell: ({ available }) => html`<strong>${grouped(available)}</strong>` },
  { title: 'Refused', isNumber: true, cell: ({ refusalRatio }) => refusedText(refusalRatio) },
  { title: 'Ports by state', cell: statesBar },
  { title: 'Established', isNumber: true, cell: ({ used }) => grouped(used.established) },
  { title: 'TIME_WAIT', isNumber: true, cell: ({ used }) => grouped(used.timeWait) },
  { title: 'Other', isNumber: true, cell: ({ used }) => grouped(used.other) },
];

function usedText(ratio: number, level: NatLevel): Html {
  return html`<span class="level-text level-${level}">${percent(ratio)}</span>${
    level === 'ok' ? '' : html` <span class="sub">${natLevelWord(level)}</span>`
  }`;
}

/** Whose connections they are, as far as that is told: most first. */
function holders({ clients, used }: FullSnatDestination): Html | '' {
  const told = clients.reduce((sum, { ports }) => sum + ports, 0);
  return heldBy(
    clients.map(({ address, ports }) => ({
      who: html`<span class="address">${name(address)}</span>`,
      ports,
    })),
    used.established + used.timeWait + used.other - told,
  );
}

function statesBar({ used, available }: FullSnatDestination): Html {
  const { established, timeWait, other } = used;
  const range = established + timeWait + other + available;
  const share = (count: number) => (range > 0 ? count / range : 0);
  return stackedBar([
    ['established', share(established)],
    ['time-wait', share(timeWait)],
    ['other', share(other)],
  ]);
}

function idOf({ protocol, natAddress, remoteAddress, remotePort, zone }: FullSnatDestination): string {
  return rowId('nat', protocol, natAddress, remoteAddress, remotePort, zone);
}
