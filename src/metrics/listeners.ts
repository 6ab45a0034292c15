import { listenersOf } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedCounter } from './counter.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const LABELS = ['netns', 'protocol', 'address', 'port'] as const;

/** Who listens, and how full the queues are. */
export const defineListeners: DefineMetricGroup = (registers) => {
  const count = new PaintedGauge(registers, {
    name: 'port_listeners',
    help:
      'Listening sockets (socket tables): TCP in LISTEN, and unconnected UDP on a port that was not chosen automatically: ' +
      'outside the usable ephemeral ports, or shared by several sockets.',
    labels: ['netns', 'protocol', 'family'],
  });
  const info = new PaintedGauge(registers, {
    name: 'port_listener_info',
    help:
      'Always 1; service from /etc/services, process and user that hold the socket (empty without the privilege to look), ' +
      'and owner, the systemd unit, container, pod or cgroup that opened it.',
    labels: [...LABELS, 'service', 'process', 'user', 'owner'],
  });
  const queue = new PaintedGauge(registers, {
    name: 'port_listener_accept_queue',
    help: 'Connections waiting for accept() (socket tables). The kernel drops new ones while the queue is above its limit.',
    labels: LABELS,
  });
  const queueLimit = new PaintedGauge(registers, {
    name: 'port_listener_accept_queue_limit',
    help: 'Maximum connections waiting for accept(): the backlog of listen(), capped at net.core.somaxconn (socket tables).',
    labels: LABELS,
  });
  const dropped = new PaintedCounter(registers, {
    name: 'port_listener_dropped_total',
    help:
      'Connections (TCP) or datagrams (UDP) that this listener dropped, including those dropped by sockets it has closed ' +
      '(socket tables).',
    labels: LABELS,
  });
  const connections = new PaintedGauge(registers, {
    name: 'port_listener_connections',
    help: 'Open connections that this listener accepted (socket tables).',
    labels: LABELS,
  });
  const inRange = new PaintedGauge(registers, {
    name: 'port_listener_in_ephemeral_range',
    help:
      'Whether the port is a usable ephemeral port. If 1, no connect() can use it, and an ephemeral socket can take it ' +
      'while the service restarts.',
    labels: LABELS,
  });
  const painted = [count, info, queue, queueLimit, dropped, connections, inRange];
  return {
    clear: () => painted.forEach((metric) => void metric.clear()),
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns, listeners } = namespace;
        for (const protocol of ['tcp', 'udp'] as const) {
          for (const [family, sockets] of Object.entries(listenersOf(namespace, protocol)?.counts ?? {})) {
            count.set({ netns, protocol, family }, sockets);
          }
        }
        for (const listener of listeners) {
          const { protocol, address, port, service, process, user, owner } = listener;
          const labels = { netns, protocol, address, port };
          info.set({ ...labels, service, process, user, owner }, 1);
          queue.setKnown(labels, listener.acceptQueue);
          queueLimit.setKnown(labels, listener.acceptQueueLimit);
          dropped.setKnown(labels, listener.dropped);
          connections.setKnown(labels, listener.connections);
          inRange.set(labels, listener.inEphemeralRange ? 1 : 0);
        }
      }
    },
  };
};

/** Series a UDP listener has in each open-ended metric of this group. */
export const UDP_LISTENER_SERIES = {
  port_listener_info: 1,
  port_listener_dropped_total: 1,
  port_listener_in_ephemeral_range: 1,
} as const;

/** Series a TCP listener has in each open-ended metric of this group. */
export const LISTENER_SERIES = {
  ...UDP_LISTENER_SERIES,
  port_listener_accept_queue: 1,
  port_listener_accept_queue_limit: 1,
  port_listener_connections: 1,
} as const;
