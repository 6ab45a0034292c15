import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** Who holds the ephemeral ports. */
export const defineOwners: DefineMetricGroup = (registers) => {
  const ports = new PaintedGauge(registers, {
    name: 'port_owner_ephemeral_ports',
    help:
      'Distinct usable ephemeral ports held by the sockets of this systemd unit, container, pod or cgroup (socket ' +
      'tables). Sockets without a cgroup, such as those in TIME_WAIT, are unattributed.',
    labels: ['netns', 'protocol', 'owner'],
  });
  const seen = new PaintedGauge(registers, {
    name: 'port_owners',
    help: 'Distinct owners of ephemeral ports, exported or not (socket tables).',
    labels: ['netns', 'protocol'],
  });
  return {
    clear() {
      ports.clear();
      seen.clear();
    },
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns } = namespace;
        for (const [protocol, snapshot] of Object.entries(fullResults(namespace).owners ?? {})) {
          seen.set({ netns, protocol }, snapshot.total);
          for (const { owner, ports: held } of snapshot.fullest) ports.set({ netns, protocol, owner }, held);
        }
      }
    },
  };
};

/** Series an owner has in each open-ended metric of this group. */
export const OWNER_SERIES = { port_owner_ephemeral_ports: 1 } as const;
