import { html } from 'hono/html';
import { counted } from '../../base/quantities.ts';
import type { ProbeFailure } from '../../probes/probe.ts';
import type { ProbeRow, ProbesStatus } from '../../status/probes.ts';
import type { Status } from '../../status/status.ts';
import { age, elapsed, type Html, name, rowId } from './format.ts';
import { type Column, omission, table } from './table.ts';

/** Rows of the table, a list below it, and targets named where the page begins. */
const SHOWN = 10;
const LISTED = 100;
const NAMED = 3;

/** One line where somebody looks first, and nothing while every probe connects. */
export function probesAlarm({ probes }: Pick<Status, 'probes'>): Html | string {
  if (probes === undefined || probes.failing === 0) return '';
  const { rows, failing } = probes;
  const named = rows.slice(0, Math.min(failing, NAMED));
  return html`<p id="probes-alarm" class="alarm"><a href="#probes">${failing} of ${counted(rows.length, 'probe')} ${failing === 1 ? 'fails' : 'fail'}</a>
${named.map((row) => html`<span>${name(row.target)}: ${resultText(row)}</span> `)}${failing > NAMED ? html`<span>${failing - NAMED} more</span>` : ''}</p>`;
}

/** Whether others can be reached from here; absent where nobody asked for probes. */
export function probesSection({ probes }: Pick<Status, 'probes'>): Html | string {
  if (probes === undefined) return '';
  const rows = probes.rows.slice(0, SHOWN);
  const others = probes.rows.slice(SHOWN, SHOWN + LISTED);
  return html`<section id="probes-section"><h2 id="probes">Probes</h2>
${rows.length === 0 ? '' : table({ id: 'probes', columns: COLUMNS, rows, rowId: idOf, below: errorLine })}
${
  others.length === 0
    ? ''
    : html`<details id="more-probes"><summary>${others.length} more</summary><ul class="links">${others.map(
        (row) =>
          html`<li id="${idOf(row)}">${name(row.target)} <span class="sub">${resultText(row)}, ${age(row.ageMs)} ago</span></li>`,
      )}</ul></details>`
}
${omission(probes.rows.length - rows.length - others.length, 'target', 'no worse results')}
${notes(probes)}</section>`;
}

const COLUMNS: readonly [Column<ProbeRow>, ...Column<ProbeRow>[]] = [
  {
    title: 'Target',
    cell: (row) =>
      html`${name(row.target)}${row.target.endsWith(`//${row.endpoint}`) ? '' : html` <span class="sub address">${name(row.endpoint)}</span>`}`,
  },
  { title: 'Result', cell: resultText },
  { title: 'Resolve', isNumber: true, cell: ({ resolveSeconds }) => elapsedOrDash(resolveSeconds) },
  {
    title: 'Connect',
    isNumber: true,
    cell: ({ connectSeconds, ageMs }) =>
      html`${elapsedOrDash(connectSeconds)} <span class="sub">${age(ageMs)} ago</span>`,
  },
];

/** What a person says to each reason; the errno stands beside it. */
const REASONS: Readonly<Record<ProbeFailure, string>> = {
  refused: 'refused',
  timeout: 'no answer',
  unreachable: 'unreachable',
  name_not_found: 'name not found',
  resolver_failed: 'resolver failed',
  no_local_port: 'no local port left',
  no_source_address: 'no local address to connect from',
  other: 'failed',
};

function resultText({ failure }: ProbeRow): Html {
  if (failure === undefined) return html`ok`;
  const { reason } = failure;
  return html`<span class="level-text level-${reason === 'no_local_port' ? 'exhausted' : 'imminent'}">${REASONS[reason]}</span>`;
}

/** What an application gets, and from where. */
function errorLine({ failure, address, endpoint }: ProbeRow): Html | '' {
  if (failure === undefined) return '';
  const { reason, error } = failure;
  const where =
    address === undefined || endpoint.includes(address)
      ? ''
      : html` at <span class="address">${name(address)}</span>`;
  const asked = NOT_ASKED.has(reason) ? ': the target was not contacted' : '';
  return html`<code>${error}</code>${where}${asked}`;
}

/** Failures for want of something on this machine. */
const NOT_ASKED: ReadonlySet<ProbeFailure> = new Set(['no_local_port', 'no_source_address']);

function notes({ waiting, fileIsBad }: ProbesStatus): Html {
  return html`${waiting === 0 ? '' : html`<p class="note">${counted(waiting, 'target')} not probed yet.</p>`}
${fileIsBad ? html`<p class="note"><span class="tag warn">bad file</span> failed to reload --probe.file, keeping the previous targets.</p>` : ''}`;
}

function elapsedOrDash(seconds: number | undefined): string {
  return seconds === undefined ? '\u2013' : elapsed(seconds);
}

function idOf({ target }: ProbeRow): string {
  return rowId('probe', target);
}
