import { leastAvailable } from '../aggregate/exhaustion.ts';
import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { DEVICE_LABELS, deviceLabel } from './device.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const LABELS = ['netns', 'local_address', 'remote_address', 'remote_port'] as const;

/** The fullest destinations of TCP connect(). */
export const defineDestinations: DefineMetricGroup = (registers) => {
  const used = new PaintedGauge(registers, {
    name: 'port_destination_used_ports',
    help: 'Ephemeral ports held by outbound TCP connections to this destination, including blocked ports (socket tables).',
    labels: [...LABELS, 'state'],
    optionalLabels: DEVICE_LABELS,
  });
  const reclaimable = new PaintedGauge(registers, {
    name: 'port_destination_reclaimable_ports',
    help:
      'Ephemeral ports in TIME_WAIT that the next connect() to this destination can reuse: net.ipv4.tcp_tw_reuse allows ' +
      'it and they are old enough (socket tables).',
    labels: LABELS,
    optionalLabels: DEVICE_LABELS,
  });
  const available = new PaintedGauge(registers, {
    name: 'port_destination_available_ports',
    help:
      'Further TCP connect() calls to this destination that succeed before EADDRNOTAVAIL (socket tables); a minimum while ' +
      'port_ephemeral_uncertain_ports is above 0.',
    labels: LABELS,
    optionalLabels: DEVICE_LABELS,
  });
  const ratio = new PaintedGauge(registers, {
    name: 'port_destination_exhaustion_ratio',
    help:
      'Ephemeral port exhaustion towards this destination (socket tables): 1 means the next TCP connect() fails with ' +
      'EADDRNOTAVAIL.',
    labels: LABELS,
    optionalLabels: DEVICE_LABELS,
  });
  const seen = new PaintedGauge(registers, {
    name: 'port_destinations',
    help:
      'Distinct destinations (local address, remote address, remote port, device) that hold ephemeral ports, exported or ' +
      'not (socket tables).',
    labels: ['netns'],
  });
  const gauges = [used, reclaimable, available, ratio, seen];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns } = namespace;
        const { tcp } = fullResults(namespace);
        if (tcp === undefined) continue;
        seen.set({ netns }, tcp.destinations.total);
        for (const destination of tcp.destinations.fullest) {
          const labels = {
            netns,
            local_address: destination.localAddress,
            remote_address: destination.remoteAddress,
            remote_port: destination.remotePort,
            ...deviceLabel(destination.device),
          };
          used.set({ ...labels, state: 'established' }, destination.used.established);
          used.set({ ...labels, state: 'time_wait' }, destination.used.timeWait);
          used.set({ ...labels, state: 'other' }, destination.used.other);
          reclaimable.set(labels, destination.reclaimable);
          available.set(labels, leastAvailable(destination));
          ratio.set(labels, destination.ratio);
        }
      }
    },
  };
};

/** Series a destination has in each open-ended metric of this group. */
export const DESTINATION_SERIES = {
  port_destination_used_ports: 3,
  port_destination_reclaimable_ports: 1,
  port_destination_available_ports: 1,
  port_destination_exhaustion_ratio: 1,
} as const;
