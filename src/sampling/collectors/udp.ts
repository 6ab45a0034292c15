import { PortsByCgroup } from '../../aggregate/portsByCgroup.ts';
import { UdpSockets } from '../../aggregate/udp.ts';
import { attributes, type Collector, rangeOf } from './collector.ts';

/** Every UDP socket. */
export const udpCollector: Collector<'udp'> = {
  name: 'udp',
  finds: 'numbers',
  open: (namespace) => ({
    collect(round) {
      const { source, options, dropped } = namespace;
      const { range } = rangeOf(round);
      const ports = attributes(namespace) ? new PortsByCgroup(range.usable) : undefined;
      const sockets = new UdpSockets(range, ports);
      source.udp((record) => sockets.add(record));
      if (ports !== undefined) round.ports.udp = ports;
      return sockets.summarise(options.limits, (index) => source.deviceName(index), dropped.udp);
    },
  }),
};
