import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** Socket counts by state. */
export const defineSockets: DefineMetricGroup = (registers) => {
  const sockets = new PaintedGauge(registers, {
    name: 'port_sockets',
    help:
      'Sockets by state (socket tables). IPv4-mapped IPv6 sockets count as ipv6. State bound_inactive, sockets that only ' +
      'called bind(), is absent before Linux 6.8, which does not show them.',
    labels: ['netns', 'protocol', 'family', 'state'],
  });
  const connections = new PaintedGauge(registers, {
    name: 'port_connections',
    help: 'TCP connections by state (socket tables); inbound if a listener holds the local address and port.',
    labels: ['netns', 'direction', 'state'],
  });
  return {
    clear() {
      sockets.clear();
      connections.clear();
    },
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns } = namespace;
        const { tcp, udp } = fullResults(namespace);
        for (const [protocol, snapshot] of Object.entries({ tcp, udp })) {
          for (const { family, state, count } of snapshot?.sockets ?? []) {
            sockets.set({ netns, protocol, family, state }, count);
          }
        }
        for (const { direction, state, count } of tcp?.connections ?? []) {
          connections.set({ netns, direction, state }, count);
        }
      }
    },
  };
};
