import { leastAvailable } from '../aggregate/exhaustion.ts';
import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const REGIMES =
  'When no port is left, calls fail with EADDRNOTAVAIL (TCP connect), EADDRINUSE (TCP and UDP bind) or EAGAIN (UDP ' +
  'connect). From the socket tables and net.ipv4.ip_local_port_range.';

/** The worst key of each of the four regimes: what alerts stand on. */
export const defineExhaustion: DefineMetricGroup = (registers) => {
  const labels = ['netns', 'protocol', 'scope'] as const;
  const ratio = new PaintedGauge(registers, {
    name: 'port_exhaustion_ratio',
    help: `Ephemeral port exhaustion of the worst destination or local address: 0 means unused, 1 means the next call fails. An estimated upper limit where port_exporter_sample_detail is 0. ${REGIMES}`,
    labels,
  });
  const available = new PaintedGauge(registers, {
    name: 'port_exhaustion_available_ports',
    help: `Further calls that succeed for the worst destination or local address; a minimum while port_ephemeral_uncertain_ports is above 0. ${REGIMES}`,
    labels,
  });
  const peak = new PaintedGauge(registers, {
    name: 'port_exhaustion_peak_ratio',
    help: `Highest port_exhaustion_ratio of any sample within --peak.window. ${REGIMES}`,
    labels,
  });
  const capacity = new PaintedGauge(registers, {
    name: 'port_connect_capacity_ports',
    help: 'Ports available to a destination not in use yet: usable minus blocked and uncertain ports (TCP), usable minus used ports (UDP). From the socket tables.',
    labels: ['netns', 'protocol'],
  });
  const gauges = [ratio, available, peak, capacity];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns, results, peaks } = namespace;
        for (const protocol of ['tcp', 'udp'] as const) {
          const regimes = results[protocol];
          if (regimes === undefined) continue;
          for (const scope of ['connect', 'bind'] as const)
            ratio.set({ netns, protocol, scope }, regimes[scope].ratio);
        }
        // Further calls that succeed are not known where not all sockets were read.
        const { tcp, udp } = fullResults(namespace);
        for (const [protocol, snapshot] of Object.entries({ tcp, udp })) {
          if (snapshot === undefined) continue;
          const availableAtLeast =
            'capacityAtLeast' in snapshot ? snapshot.capacityAtLeast : snapshot.capacity;
          capacity.set({ netns, protocol }, availableAtLeast);
          for (const scope of ['connect', 'bind'] as const) {
            available.set({ netns, protocol, scope }, leastAvailable(snapshot[scope]));
          }
        }
        for (const { protocol, scope, ratio: highest } of peaks)
          peak.set({ netns, protocol, scope }, highest);
      }
    },
  };
};
