import { NamespaceGone } from '../../namespaces/namespaceSwitcher.ts';
import type { CanaryAnswer } from '../../snapshot/canaryAnswer.ts';
import type { Inside } from '../../sockets/source.ts';
import { type Collector, type Round, rangeOf } from './collector.ts';

/** What the kernel says when it is asked for a port, beside what was calculated. */
export const canaryCollector: Collector<'canary'> = {
  name: 'canary',
  finds: 'numbers',
  open: ({ canary, inside }) => {
    if (canary === undefined) return undefined;
    const ask = (round: Round) => {
      const { tcp, udp } = round.results;
      return canary.ask({ leavesOneOut: rangeOf(round).range.leavesOneOut, tcp, udp });
    };
    return { collect: inside === undefined ? ask : askNowAndThen(ask, inside) };
  },
};

/** To enter a namespace and ask costs more than to read it: there the last answer stands for so long. */
const ANSWER_STANDS_MS = 30_000;

function askNowAndThen(ask: (round: Round) => CanaryAnswer[], inside: Inside) {
  let answers: CanaryAnswer[] = [];
  let dueAtMs = Number.NEGATIVE_INFINITY;
  return (round: Round): CanaryAnswer[] => {
    const now = performance.now();
    if (now < dueAtMs) return answers;
    // Not all of them again in the same sample.
    dueAtMs = now + ANSWER_STANDS_MS * (0.5 + Math.random() / 2);
    try {
      answers = inside(() => ask(round));
    } catch (error) {
      answers = [];
      // Nobody can be asked any more.
      if (!(error instanceof NamespaceGone)) throw error;
    }
    return answers;
  };
}
