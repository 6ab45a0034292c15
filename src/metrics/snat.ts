import { CLIENTS_TOLD, type SnatDestination } from '../aggregate/snat.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const LABELS = ['netns', 'protocol', 'nat_address', 'remote_address', 'remote_port'] as const;
const REGIME_LABELS = ['netns', 'protocol'] as const;

const SOURCE = 'From conntrack.';
const REFUSAL =
  'for which SNAT finds no port: they are dropped in silence, and the sender retries after 1 s and 3 s, or times out. An ' +
  'upper limit where SNAT keeps source ports.';
const ABSENT =
  'Absent while fewer connections are tracked than a quarter of the range has ports, and where none is translated.';

/** Ports that SNAT has left, by destination. */
export const defineSnat: DefineMetricGroup = (registers) => {
  const ofDestination = (name: string, help: string, labels: readonly string[] = []) =>
    new PaintedGauge<string>(registers, {
      name: `port_snat_destination_${name}`,
      help: `${help} ${SOURCE}`,
      labels: [...LABELS, ...labels],
      optionalLabels: ['zone'],
    });
  const ofRegime = (name: string, help: string) =>
    new PaintedGauge(registers, {
      name: `port_snat_${name}`,
      help: `${help} ${SOURCE}`,
      labels: REGIME_LABELS,
    });
  const used = ofDestination(
    'used_ports',
    'Ports of the NAT range held towards this destination, those of the host itself included.',
    ['state'],
  );
  const available = ofDestination(
    'available_ports',
    'Free ports of the NAT range towards this destination; a range above 128 ports is not searched whole, so some are found ' +
      'by retransmissions only.',
  );
  const refusal = ofDestination('refusal_ratio', `Share of new packets to this destination ${REFUSAL}`);
  const clients = ofDestination(
    'client_ports',
    `Ports of the NAT range held towards this destination by connections from this address, of the ${CLIENTS_TOLD} that hold ` +
      'most; the NAT address for connections of the host itself.',
    ['client_address'],
  );
  const worst = ofRegime(
    'exhaustion_ratio',
    `Used ports of the NAT range towards the fullest destination: 1 means that no port is left. ${ABSENT}`,
  );
  const least = ofRegime(
    'available_ports',
    'Free ports of the NAT range towards the destination with the fewest.',
  );
  const worstRefusal = ofRegime(
    'refusal_ratio',
    `Share of new packets to the destination where it is worst ${REFUSAL} ${ABSENT}`,
  );
  const peak = ofRegime(
    'peak_ratio',
    'Highest port_snat_exhaustion_ratio of any sample within --peak.window.',
  );
  const range = ofRegime(
    'range_ports',
    'Ports that SNAT is assumed to choose from: 1024 to 65535, or --snat.ports for every address.',
  );
  const seen = ofRegime(
    'destinations',
    'Distinct destinations (NAT address, remote address, remote port, zone) that hold ports of the NAT range, exported or not.',
  );
  const gauges = [used, available, refusal, clients, worst, least, worstRefusal, peak, range, seen];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint(state) {
      for (const { netns, results } of namespacesOf(state)) {
        const { snat } = results;
        if (snat === undefined) continue;
        for (const protocol of ['tcp', 'udp'] as const) {
          const regime = snat[protocol];
          const labels = { netns, protocol };
          worst.set(labels, regime.ratio);
          least.set(labels, regime.available);
          worstRefusal.set(labels, regime.refusalRatio);
          peak.set(labels, regime.peakRatio);
          range.set(labels, snat.rangePorts);
          seen.set(labels, regime.destinations);
        }
        for (const destination of snat.destinations.fullest) {
          const labels = { netns, ...labelsOf(destination) };
          used.set({ ...labels, state: 'established' }, destination.used.established);
          used.set({ ...labels, state: 'time_wait' }, destination.used.timeWait);
          used.set({ ...labels, state: 'other' }, destination.used.other);
          available.set(labels, destination.available);
          refusal.set(labels, destination.refusalRatio);
          for (const { address, ports } of destination.clients)
            clients.set({ ...labels, client_address: address }, ports);
        }
      }
    },
  };
};

/** Series a destination has in each open-ended metric of this group; clients of those not exported were not counted. */
export const SNAT_SERIES = {
  port_snat_destination_used_ports: 3,
  port_snat_destination_available_ports: 1,
  port_snat_destination_refusal_ratio: 1,
} as const;

function labelsOf({ protocol, natAddress, remoteAddress, remotePort, zone }: SnatDestination) {
  return {
    protocol,
    nat_address: natAddress,
    remote_address: remoteAddress,
    remote_port: remotePort,
    ...(zone !== 0 && { zone }),
  };
}
