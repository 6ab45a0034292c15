import { LocaleFormat, PercentUnit, RequestsPerSecond } from '@grafana/grafana-foundation-sdk/units';
import { COUNT, ratioBar, yesOrNo } from '../panels/cells.ts';
import { overTime } from '../panels/queries.ts';
import { table } from '../panels/table.ts';
import { timeSeries, withLevels } from '../panels/timeSeries.ts';
import { chosen, highest } from '../promql.ts';
import { QUEUE_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const LABELS = 'netns, protocol, address, port';
const LEGEND = '{{netns}}: {{protocol}} {{address}} port {{port}}';

/** The kernel lets one more wait than the limit says: 1 is where it drops. */
const QUEUE_RATIO = `max by (${LABELS}) (${chosen('port_listener_accept_queue')} / (${chosen('port_listener_accept_queue_limit')} + 1))`;

/** Who listens, and whether anyone keeps up with accept(). */
export function listenersRow(): Row {
  return { title: '$instance: listeners', panels: [queues(), waiting(), dropped(), listeners()] };
}

function queues() {
  return withLevels(
    timeSeries(
      {
        title: 'Accept queue / limit',
        description:
          'The ten listeners with the fullest queues in the time range. At 100 %, new connections are dropped: the ' +
          'client retries SYN for seconds and may fail with ETIMEDOUT, while the server sees nothing.',
        unit: PercentUnit,
      },
      [overTime(highest(10, QUEUE_RATIO), LEGEND)],
    ),
    QUEUE_STEPS,
  ).span(8);
}

function waiting() {
  const longest = `max by (${LABELS}) (${chosen('port_listener_accept_queue')})`;
  return timeSeries(
    {
      title: 'Connections waiting for accept()',
      description:
        'The ten listeners with the most in the time range: established for the client, which waits for an answer.',
      unit: LocaleFormat,
    },
    [overTime(highest(10, longest), LEGEND)],
  ).span(8);
}

function dropped() {
  const drops = `sum by (${LABELS}) (rate(${chosen('port_listener_dropped_total')}[$__rate_interval]))`;
  return timeSeries(
    {
      title: 'Drops by listener',
      description:
        'The ten listeners that drop the most in the time range: connections (TCP: a full accept queue, no memory) or ' +
        'datagrams (UDP: a full receive buffer). Clients see ETIMEDOUT or no error at all.',
      unit: RequestsPerSecond,
    },
    [overTime(highest(10, drops), LEGEND)],
  ).span(8);
}

function listeners() {
  const of = (metric: string) => `max by (${LABELS}) (${chosen(metric)})`;
  return table(
    {
      title: 'Listeners',
      description:
        'Up to --listeners.limit, the fullest queues first. A listener in the ephemeral range blocks its port for every ' +
        'connect(), and while the service restarts any connection can take the port: bind() then fails with ' +
        'EADDRINUSE. Process and user are empty without the privilege to look.',
      unit: LocaleFormat,
    },
    [
      { label: 'netns', name: 'Namespace' },
      { label: 'protocol', name: 'Protocol' },
      { label: 'address', name: 'Address' },
      { label: 'port', name: 'Port' },
      { label: 'service', name: 'Service' },
      { label: 'process', name: 'Process' },
      { label: 'user', name: 'User' },
      { label: 'owner', name: 'Owner' },
    ],
    [
      // For its labels, which say who it is.
      {
        expr: `max by (${LABELS}, service, process, user, owner) (${chosen('port_listener_info')})`,
      },
      { expr: QUEUE_RATIO, name: 'Queue / limit', properties: ratioBar(QUEUE_STEPS) },
      { expr: of('port_listener_accept_queue'), name: 'Queue', properties: COUNT },
      { expr: of('port_listener_accept_queue_limit'), name: 'Limit', properties: COUNT },
      { expr: of('port_listener_connections'), name: 'Connections', properties: COUNT },
      { expr: of('port_listener_dropped_total'), name: 'Dropped', properties: COUNT },
      {
        expr: of('port_listener_in_ephemeral_range'),
        name: 'In range',
        properties: yesOrNo('yes', 'no', { yes: 'orange' }),
      },
    ],
    'Queue / limit',
  ).height(10);
}
