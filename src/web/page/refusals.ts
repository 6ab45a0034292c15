import { html } from 'hono/html';
import { formatDuration } from '../../base/duration.ts';
import { endpoint } from '../../base/endpoint.ts';
import { RECENT_MS } from '../../status/recentRefusals.ts';
import type { RefusedCaller, RefusedNow } from '../../status/refusals.ts';
import type { Status } from '../../status/status.ts';
import { age, grouped, type Html, name, namespaceLink } from './format.ts';
import { regimeName } from './regimeCards.ts';

/** Kinds of calls that are named; the rest is a number. */
const NAMED = 3;
const LISTED = 5;

/** Above everything else, while calls fail and as long as that is news: nothing here is calculated. */
export function refusalsAlarm({ refusals }: Pick<Status, 'refusals'>): Html | string {
  if (refusals === undefined) return '';
  const { calls, callers } = refusals;
  const more = calls.length - NAMED;
  const shown = callers.slice(0, LISTED);
  return html`<div id="refusals" class="problem" role="alert"><strong>Calls failed in the last ${formatDuration(RECENT_MS)}:</strong>
${calls.slice(0, NAMED).map((one) => html`<div>${sentence(one)}</div>`)}${more > 0 ? html`<div>${grouped(more)} more kinds of calls.</div>` : ''}
${shown.length === 0 ? '' : html`<ul>${shown.map((caller) => html`<li>${whose(caller)}</li>`)}</ul>`}
<div>As they happen: <code>port-exporter refusals --follow</code></div></div>`;
}

/** `12 TCP connect() calls in host failed with EADDRNOTAVAIL, the last 3s ago.` */
function sentence(call: RefusedNow): Html {
  const { count, netns, error, ageMs } = call;
  return html`<span class="count">${grouped(count)}</span> ${regimeName(call)} ${count === 1 ? 'call' : 'calls'} in <a class="netns" href="${namespaceLink(netns)}">${name(netns)}</a> failed with <code>${error}</code>, the last ${age(ageMs)} ago.`;
}

/** `curl (pid 4711, web.service) from 10.0.0.5 to 10.0.0.9:443 in host, 3s ago` */
function whose({ process, pid, owner, netns, localAddress, remote, count, ageMs }: RefusedCaller): Html {
  const to =
    remote === undefined
      ? ''
      : html` to <span class="address">${name(endpoint(remote.address, remote.port))}</span>`;
  return html`${name(process)} (pid ${pid}, ${name(owner)}) from <span class="address">${name(localAddress)}</span>${to} in ${name(netns)}${count > 1 ? `, ${count} times` : ''}, ${age(ageMs)} ago`;
}

/** For the title of the page; '' where nothing failed. */
export function refusedWords({ refusals }: Pick<Status, 'refusals'>): string {
  if (refusals === undefined) return '';
  const count = refusals.calls.reduce((sum, call) => sum + call.count, 0);
  return `${grouped(count)} ${count === 1 ? 'call' : 'calls'} failed \u00b7 `;
}
