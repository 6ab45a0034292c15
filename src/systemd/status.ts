import { formatDuration } from '../base/duration.ts';
import { endpoint } from '../base/endpoint.ts';
import { printable } from '../base/printable.ts';
import { counted, percent } from '../base/quantities.ts';
import type { SamplingState } from '../snapshot/samplingState.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { isFresh, readinessOf } from '../status/readiness.ts';
import { RECENT_MS } from '../status/recentRefusals.ts';
import { NO_REFUSALS, type RefusalState } from '../status/refusalLedger.ts';
import { refusalsOf } from '../status/refusals.ts';
import type { NatWorst } from '../status/snat.ts';
import { worstNamespace } from '../status/worst.ts';

/** The line that `systemctl status` shows. */
export interface Status {
  readonly words: string;
  /** What it is about. Where that changes, people want to know soon. */
  readonly subject: string;
  /** 0 to 1, the exhaustion it speaks of; 0 where it is about something else. */
  readonly ratio: number;
}

/** A message of sd_notify(3) is at most 4096 bytes, and a character up to 3. */
const LONGEST_WORDS = 1000;

/** What fails, what is worst now, or why that is not known. `nowMs` is by monotonicMs(). */
export function statusOf(state: SamplingState, nowMs: number, refusals = NO_REFUSALS): Status {
  const { words: sampled, subject, ...status } = describe(state, nowMs);
  const refused = refusedWords(refusals, nowMs);
  const words = refused === undefined ? sampled : `${refused}; ${sampled}`;
  // Namespaces have names that others chose: a line break in one would begin another message.
  return {
    ...status,
    subject: refused === undefined ? subject : `calls refused; ${subject}`,
    words: printable(words, LONGEST_WORDS),
  };
}

/** `5 calls refused in the last 15m, tcp connect in host`: where most were. */
function refusedWords(refusals: RefusalState, nowMs: number): string | undefined {
  const { calls = [] } = refusalsOf(refusals, nowMs, Date.now()) ?? {};
  const [most] = calls.toSorted((a, b) => b.count - a.count);
  if (most === undefined) return undefined;
  const { protocol, scope, netns } = most;
  const total = calls.reduce((sum, { count }) => sum + count, 0);
  return `${counted(total, 'call')} refused in the last ${formatDuration(RECENT_MS)}, ${calls.length > 1 ? 'most ' : ''}${protocol} ${scope} in ${netns}`;
}

function describe(state: SamplingState, nowMs: number): Status {
  const { ready, reason } = readinessOf(state, nowMs);
  if (state.kind === 'failed') return { words: `not ready: ${reason}`, subject: reason, ratio: 0 };
  // The age is in the reason, and is another one every time.
  if (!isFresh(state, nowMs)) return { words: `not ready: ${reason}`, subject: 'no fresh sample', ratio: 0 };
  const { snapshot } = state;
  const worst = worstIn(snapshot);
  const words = [
    ...(ready ? [] : [`not ready: ${reason}`]),
    ...(worst === undefined ? [] : [worst.words]),
    counted(snapshot.namespacesFound, 'namespace'),
    `a sample every ${formatDuration(snapshot.intervalSeconds * 1000)}`,
  ].join('; ');
  return {
    words,
    subject: `${ready ? '' : reason} ${worst?.subject ?? ''}`,
    ratio: worst?.ratio ?? 0,
  };
}

/** The worst namespace, the same as the page's. */
function worstIn({ namespaces }: Snapshot): Status | undefined {
  const found = worstNamespace(namespaces);
  if (found === undefined) return undefined;
  if (found.lead.kind === 'nat') return natStatus(found.lead.nat, found.netns);
  const { protocol, scope, numbers } = found.lead.call;
  const { ratio, available, availableAtLeast = available, isEstimated } = numbers;
  const words = isEstimated
    ? `worst: ${protocol} at most ${percent(ratio)} used (estimated), in ${found.netns}`
    : `worst: ${protocol} ${scope} ${percent(ratio)} used, ${availableAtLeast < available ? 'at least ' : ''}${counted(availableAtLeast, 'port')} left, in ${found.netns}`;
  return { words, subject: `${protocol} ${scope} in ${found.netns}`, ratio };
}

function natStatus(nat: NatWorst, netns: string): Status {
  const { ratio, level } = nat;
  if (nat.kind === 'table') {
    const words =
      level === 'exhausted'
        ? 'conntrack table full, packets of new connections vanish'
        : `conntrack table ${percent(ratio)} full, ${counted(nat.limit - nat.entries, 'entry', 'entries')} left`;
    return { words: `worst: ${words}, in ${netns}`, subject: `conntrack table in ${netns}`, ratio };
  }
  const { protocol, available, refusalRatio, destination } = nat;
  const to =
    destination === undefined ? '' : ` to ${endpoint(destination.remoteAddress, destination.remotePort)}`;
  const words =
    level === 'exhausted'
      ? `up to ${percent(refusalRatio)} of new packets vanish`
      : `${percent(ratio)} used, ${counted(available, 'port')} left`;
  return {
    words: `worst: ${protocol} behind the NAT${to} ${words}, in ${netns}`,
    subject: `${protocol} behind the NAT in ${netns}`,
    ratio: level === 'exhausted' ? refusalRatio : ratio,
  };
}
