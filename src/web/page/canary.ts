import { html } from 'hono/html';
import { counted } from '../../base/quantities.ts';
import type { AskedAnswer } from '../../status/canary.ts';
import type { NamespaceStatus } from '../../status/status.ts';
import { elapsed, grouped, type Html } from './format.ts';

/** The kernel's own answer below what was calculated: one line, where it was asked. */
export function canaryLine({ canary }: Pick<NamespaceStatus, 'canary'>): Html | string {
  if (canary === undefined) return '';
  const { answers, disagreements } = canary;
  const all = answers.every(({ succeeded }) => succeeded);
  const lead = all
    ? 'Canary: the kernel gave a port on loopback:'
    : 'Canary: the kernel answered on loopback:';
  return html`<p id="canary" class="canary">${lead} ${answers.map((answer) => html`<span>${answerText(answer, all)}</span> `)}${
    disagreements === 0 ? '' : html`<span>${counted(disagreements, 'disagreement')} so far</span>`
  }</p>`;
}

/** Said loudly: one of the two is wrong, and the kernel is what applications meet. */
export function disagreement({ canary }: Pick<NamespaceStatus, 'canary'>): Html | string {
  const disagreeing = canary?.answers.filter(({ disagrees }) => disagrees) ?? [];
  if (disagreeing.length === 0) return '';
  return html`<div id="disagreement" class="problem" role="alert"><strong>The kernel disagrees:</strong> ${disagreeing.map(
    (answer, index) => html`${index > 0 ? '; ' : ''}${contradiction(answer)}`,
  )}. <span class="sub">A busy host may change between the two readings. If this persists, trust the kernel.</span></div>`;
}

function answerText({ succeeded, seconds, error, ...key }: AskedAnswer, isGivenToAll: boolean): Html {
  const time = seconds === undefined ? '' : ` in ${elapsed(seconds)}`;
  if (!succeeded) {
    return html`${keyName(key)} <strong class="level-text level-exhausted">refused: <code>${error}</code></strong>${time}`;
  }
  return html`${keyName(key)}${isGivenToAll ? '' : ' gave a port'}${time}`;
}

function contradiction({ succeeded, error, calculated = 0, ...key }: AskedAnswer): Html {
  return succeeded
    ? html`${keyName(key)} gave a port on loopback, although none was calculated to be available`
    : html`${keyName(key)} refused a port on loopback with <code>${error}</code>, although ${grouped(calculated)} ${calculated === 1 ? 'was' : 'were'} calculated to be available`;
}

/** `TCP IPv4` */
function keyName({ protocol, family }: Pick<AskedAnswer, 'protocol' | 'family'>): string {
  return `${protocol.toUpperCase()} ${family === 'ipv4' ? 'IPv4' : 'IPv6'}`;
}
