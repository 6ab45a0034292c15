import { LocaleFormat } from '@grafana/grafana-foundation-sdk/units';
import { overTime } from '../panels/queries.ts';
import { stacked, timeSeries } from '../panels/timeSeries.ts';
import { chosen } from '../promql.ts';
import type { Row } from './row.ts';

/** The tables as `ss -s` would count them. */
export function socketsRow(): Row {
  return {
    title: '$instance: sockets by state',
    panels: [sockets('tcp'), sockets('udp'), connections(), listening()],
  };
}

function sockets(protocol: 'tcp' | 'udp') {
  return stacked(
    timeSeries(
      {
        title: `${protocol.toUpperCase()} sockets by state`,
        description:
          protocol === 'tcp'
            ? 'Many in time_wait: connections are short. Many in close_wait: the application does not close them. Many ' +
              'in syn_sent: no answers. Each socket holds its port until it is gone.'
            : 'Connected sockets are established. Every UDP socket holds its port for the whole namespace; when all are ' +
              'held, connect() fails with EAGAIN.',
        unit: LocaleFormat,
      },
      [overTime(`sum by (state) (${chosen('port_sockets', `protocol="${protocol}"`)})`, '{{state}}')],
    ),
  );
}

function connections() {
  return stacked(
    timeSeries(
      {
        title: 'TCP connections by direction',
        description:
          'Inbound connections were accepted by a listener and take no ephemeral port; each outbound connection holds one.',
        unit: LocaleFormat,
      },
      [overTime(`sum by (direction) (${chosen('port_connections')})`, '{{direction}}')],
    ),
  );
}

function listening() {
  return timeSeries(
    {
      title: 'Listening sockets',
      description:
        'TCP sockets in LISTEN and unconnected UDP sockets on a port of their choice, exported or not. If there are ' +
        'fewer after a restart, a service did not come back: its clients see ECONNREFUSED.',
      unit: LocaleFormat,
    },
    [overTime(`sum by (protocol, family) (${chosen('port_listeners')})`, '{{protocol}} {{family}}')],
  );
}
