import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { DEVICE_LABELS, deviceLabel } from './device.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const LABELS = ['netns', 'protocol', 'local_address'] as const;

/** The fullest local addresses as bind() to port 0 meets them. */
export const defineLocalAddresses: DefineMetricGroup = (registers) => {
  const used = new PaintedGauge(registers, {
    name: 'port_local_address_used_ports',
    help:
      'Distinct usable ephemeral ports that bind() on this local address cannot choose: held on the address itself or on ' +
      'a wildcard address that covers it (socket tables).',
    labels: LABELS,
    optionalLabels: DEVICE_LABELS,
  });
  const available = new PaintedGauge(registers, {
    name: 'port_local_address_available_ports',
    help: 'Further bind() calls to port 0 on this local address that succeed before EADDRINUSE (socket tables).',
    labels: LABELS,
    optionalLabels: DEVICE_LABELS,
  });
  const ratio = new PaintedGauge(registers, {
    name: 'port_local_address_exhaustion_ratio',
    help:
      'Ephemeral port exhaustion of this local address (socket tables): 1 means the next bind() to port 0 fails with ' +
      'EADDRINUSE.',
    labels: LABELS,
    optionalLabels: DEVICE_LABELS,
  });
  const seen = new PaintedGauge(registers, {
    name: 'port_local_addresses',
    help:
      'Distinct local addresses with sockets on ephemeral ports, exported or not (socket tables). Wildcard addresses are not ' +
      'counted; their ports count for every address they cover.',
    labels: ['netns', 'protocol'],
  });
  const gauges = [used, available, ratio, seen];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns } = namespace;
        const { tcp, udp } = fullResults(namespace);
        for (const [protocol, snapshot] of Object.entries({ tcp, udp })) {
          if (snapshot === undefined) continue;
          seen.set({ netns, protocol }, snapshot.localAddresses.total);
          for (const address of snapshot.localAddresses.fullest) {
            const labels = {
              netns,
              protocol,
              local_address: address.localAddress,
              ...deviceLabel(address.device),
            };
            used.set(labels, address.used);
            available.set(labels, address.available);
            ratio.set(labels, address.ratio);
          }
        }
      }
    },
  };
};

/** Series a local address has in each open-ended metric of this group. */
export const LOCAL_ADDRESS_SERIES = {
  port_local_address_used_ports: 1,
  port_local_address_available_ports: 1,
  port_local_address_exhaustion_ratio: 1,
} as const;
