import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** The ephemeral port range, and what of it is blocked or used. */
export const defineRange: DefineMetricGroup = (registers) => {
  const first = new PaintedGauge(registers, {
    name: 'port_ephemeral_range_first_port',
    help: 'First port of net.ipv4.ip_local_port_range, the range from which connect() and bind() to port 0 choose.',
    labels: ['netns'],
  });
  const last = new PaintedGauge(registers, {
    name: 'port_ephemeral_range_last_port',
    help: 'Last port of net.ipv4.ip_local_port_range.',
    labels: ['netns'],
  });
  const reserved = new PaintedGauge(registers, {
    name: 'port_ephemeral_reserved_ports',
    help: 'Ports of the ephemeral range excluded from automatic choice by net.ipv4.ip_local_reserved_ports.',
    labels: ['netns'],
  });
  const usable = new PaintedGauge(registers, {
    name: 'port_ephemeral_ports',
    help: 'Usable ephemeral ports: net.ipv4.ip_local_port_range minus net.ipv4.ip_local_reserved_ports.',
    labels: ['netns'],
  });
  const blocked = new PaintedGauge(registers, {
    name: 'port_ephemeral_blocked_ports',
    help:
      'Usable ephemeral ports that no TCP connect() can choose, whatever the destination, because bind() holds them. ' +
      'Evidence: listener; bound, a socket that only called bind(); bucket, any other that the bind buckets of the ' +
      'kernel show (BPF). Where the source is sock_diag, bound is absent before Linux 6.8, and in place of bucket: ' +
      'explicit, a connection whose port the application chose by number; inferred, a connection that called bind() ' +
      'to port 0 first, as the parity of its port shows.',
    labels: ['netns', 'evidence'],
  });
  const uncertain = new PaintedGauge(registers, {
    name: 'port_ephemeral_uncertain_ports',
    help:
      'Usable ephemeral ports that may or may not be blocked: their sockets may have called bind() to port 0 first, ' +
      'and neither the socket tables nor a test of each port (Linux 6.3 and later) could tell. Available ports count them as ' +
      'blocked, ratios do not.',
    labels: ['netns'],
  });
  const used = new PaintedGauge(registers, {
    name: 'port_ephemeral_used_ports',
    help:
      'Distinct usable ephemeral ports with at least one socket (socket tables). TCP destinations share ports, so this ' +
      'overstates the exhaustion of connect().',
    labels: ['netns', 'protocol'],
  });
  const gauges = [first, last, reserved, usable, blocked, uncertain, used];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns } = namespace;
        const { range } = namespace.results;
        const { tcp, udp } = fullResults(namespace);
        if (range !== undefined) {
          first.set({ netns }, range.first);
          last.set({ netns }, range.last);
          reserved.set({ netns }, range.reserved);
          usable.set({ netns }, range.usable);
        }
        for (const [evidence, ports] of Object.entries(tcp?.blocked ?? {})) {
          if (ports !== undefined) blocked.set({ netns, evidence }, ports);
        }
        if (tcp !== undefined) uncertain.set({ netns }, tcp.uncertain);
        if (tcp !== undefined) used.set({ netns, protocol: 'tcp' }, tcp.usedPorts);
        if (udp !== undefined) used.set({ netns, protocol: 'udp' }, udp.usedPorts);
      }
    },
  };
};
