import { type Collector, rangeOf } from './collector.ts';

/** What the kernel says when it is asked for a port, beside what was calculated. */
export const canaryCollector: Collector<'canary'> = {
  name: 'canary',
  finds: 'numbers',
  open: ({ canary }) =>
    canary && {
      collect(round) {
        const {
          range: { leavesOneOut },
        } = rangeOf(round);
        const { tcp, udp } = round.results;
        return canary.ask({ leavesOneOut, tcp, udp });
      },
    },
};
