import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedCounter } from './counter.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const LABELS = ['netns'] as const;

/** What the kernel counts of tracked connections. */
export const defineConntrack: DefineMetricGroup = (registers) => {
  const entries = new PaintedGauge(registers, {
    name: 'port_conntrack_entries',
    help: 'Tracked connections in the network namespace (nf_conntrack_count). Absent while none was ever tracked.',
    labels: LABELS,
  });
  const limit = new PaintedGauge(registers, {
    name: 'port_conntrack_entries_limit',
    help: 'Maximum tracked connections (nf_conntrack_max): above it the packets of new connections are dropped.',
    labels: LABELS,
  });
  const counter = (name: string, help: string) =>
    new PaintedCounter(registers, {
      name: `port_conntrack_${name}_total`,
      help: `${help} From /proc/net/stat/nf_conntrack.`,
      labels: LABELS,
    });
  const counters = {
    insert_failed: counter(
      'insert_failed',
      'Packets dropped because the tuple of their connection was taken: SNAT found no port, or two packets raced.',
    ),
    drop: counter(
      'dropped',
      'Packets dropped by connection tracking: those of port_conntrack_insert_failed_total, and those that met a full table.',
    ),
    early_drop: counter(
      'early_dropped',
      'Tracked connections ended early to make room for new ones, because the table was full.',
    ),
    found: counter(
      'found',
      'Lookups for a NAT port that met a taken one: about 248 for each packet that SNAT finds no port for, in a range above ' +
        '128 ports.',
    ),
  };
  return {
    clear() {
      for (const metric of [entries, limit, ...Object.values(counters)]) metric.clear();
    },
    paint(state) {
      for (const { netns, results } of namespacesOf(state)) {
        const { conntrack } = results;
        if (conntrack === undefined) continue;
        entries.set({ netns }, conntrack.entries);
        limit.setKnown({ netns }, conntrack.limit);
        const { totals } = conntrack;
        if (totals === undefined) continue;
        counters.insert_failed.setKnown({ netns }, totals.insert_failed);
        counters.drop.setKnown({ netns }, totals.drop);
        counters.early_drop.setKnown({ netns }, totals.early_drop);
        counters.found.setKnown({ netns }, totals.found);
      }
    },
  };
};
