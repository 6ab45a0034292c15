import { LocaleFormat, NoUnit } from '@grafana/grafana-foundation-sdk/units';
import { COUNT, coloured, ratioBar } from '../panels/cells.ts';
import { overTime } from '../panels/queries.ts';
import { table } from '../panels/table.ts';
import { stacked, timeSeries } from '../panels/timeSeries.ts';
import { chosen } from '../promql.ts';
import { EXHAUSTION_STEPS, LEFT_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

/** What bind() takes from every connect(), and how many binds are left. */
export function blockedPortsRow(): Row {
  return {
    title: '$instance: ports held by bind()',
    panels: [blocked(), capacity(), localAddresses(), range()],
  };
}

function blocked() {
  return stacked(
    timeSeries(
      {
        title: 'Blocked ports by evidence',
        description:
          'Usable ports that no TCP connect() can choose, whatever its destination, because bind() holds them: those of ' +
          'listeners, of sockets that only called bind() (bound; unknown before Linux 6.8), of connections whose port was ' +
          'chosen by number (explicit), and of connections that called bind(address, 0) first (inferred); with BPF all of these are bucket. They bring ' +
          'EADDRNOTAVAIL closer for all destinations at once.',
        unit: LocaleFormat,
      },
      [overTime(`sum by (evidence) (${chosen('port_ephemeral_blocked_ports')})`, '{{evidence}}')],
    ),
  );
}

function capacity() {
  const fewest = (metric: string, ...matchers: string[]) => `min(${chosen(metric, ...matchers)})`;
  return timeSeries(
    {
      title: 'Ports for a new destination',
      description:
        'Ports available to a destination not in use yet, in the namespace with the fewest: usable minus blocked (TCP), ' +
        'usable minus used (UDP). At 0 every connect() fails with EADDRNOTAVAIL (TCP) or EAGAIN (UDP).',
      unit: LocaleFormat,
    },
    [
      overTime(fewest('port_connect_capacity_ports', 'protocol="tcp"'), 'TCP'),
      overTime(fewest('port_connect_capacity_ports', 'protocol="udp"'), 'UDP'),
      overTime(fewest('port_ephemeral_ports'), 'usable'),
    ],
  );
}

function localAddresses() {
  const labels = 'netns, protocol, local_address';
  const ratio = `topk(50, max by (${labels}) (${chosen('port_local_address_exhaustion_ratio')}))`;
  const of = (metric: string) => `max by (${labels}) (${chosen(metric)}) and ${ratio}`;
  return table(
    {
      title: 'Fullest local addresses',
      description:
        'bind(address, 0) has one set of ports for each local address, shared by all destinations. When none is left, it ' +
        'fails with EADDRINUSE. Sockets on a wildcard address count for every address.',
      unit: LocaleFormat,
    },
    [
      { label: 'netns', name: 'Namespace' },
      { label: 'protocol', name: 'Protocol' },
      { label: 'local_address', name: 'Local address' },
    ],
    [
      { expr: ratio, name: 'Ratio', properties: ratioBar(EXHAUSTION_STEPS) },
      {
        expr: of('port_local_address_available_ports'),
        name: 'Binds left',
        properties: coloured(LocaleFormat, LEFT_STEPS),
      },
      { expr: of('port_local_address_used_ports'), name: 'Used', properties: COUNT },
    ],
    'Ratio',
  ).span(14);
}

function range() {
  const of = (metric: string) => `max by (netns) (${chosen(metric)})`;
  return table(
    {
      title: 'Ephemeral range',
      description:
        'net.ipv4.ip_local_port_range and ip_local_reserved_ports of each namespace. Used counts the ports ' +
        'with any socket: destinations share them, so it does not predict EADDRNOTAVAIL.',
      unit: NoUnit,
    },
    [{ label: 'netns', name: 'Namespace' }],
    [
      { expr: of('port_ephemeral_range_first_port'), name: 'First' },
      { expr: of('port_ephemeral_range_last_port'), name: 'Last' },
      { expr: of('port_ephemeral_reserved_ports'), name: 'Reserved' },
      { expr: of('port_ephemeral_ports'), name: 'Usable' },
      {
        expr: `max by (netns) (${chosen('port_ephemeral_used_ports', 'protocol="tcp"')})`,
        name: 'Used (TCP)',
      },
      {
        expr: `max by (netns) (${chosen('port_ephemeral_used_ports', 'protocol="udp"')})`,
        name: 'Used (UDP)',
      },
    ],
    'Used (TCP)',
  ).span(10);
}
