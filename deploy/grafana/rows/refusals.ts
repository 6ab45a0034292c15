import { CountsPerSecond, LocaleFormat } from '@grafana/grafana-foundation-sdk/units';
import { bars } from '../panels/bars.ts';
import { COUNT, coloured } from '../panels/cells.ts';
import { atEnd, overTime } from '../panels/queries.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { stacked, timeSeries, withLevels } from '../panels/timeSeries.ts';
import { chosen, grown, highest } from '../promql.ts';
import { BAR_STEPS, LEFT_STEPS, NONE_REFUSED_STEPS, NONE_WANTED_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const LABELS = 'netns, local_address, remote_address, remote_port';
const REFUSED = `topk(50, max by (${LABELS}) (${grown(chosen('port_destination_refusals_total'))} > 0))`;

/** Which calls failed already, whose, and where to. */
export function refusalsRow(): Row {
  return {
    title: '$instance: refused calls',
    panels: [refused(), rates(), destinations(), owners(), failures(), failingDestinations()],
  };
}

function refused() {
  return stat(
    {
      title: 'Refused calls',
      description:
        'Calls in the time range that the kernel refused because no ephemeral port was left: EADDRNOTAVAIL (TCP ' +
        'connect), EAGAIN (UDP connect) or EADDRINUSE (bind). A call that is missing here cannot be counted on this host.',
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [
      atEnd(`sum by (protocol, scope) (${grown(chosen('port_refusals_total'))})`, '{{protocol}} {{scope}}()'),
      atEnd(`sum(${grown(chosen('port_retry_refusals_total'))})`, 'tcp connect() retries'),
    ],
  ).height(8);
}

function rates() {
  const rate = (metric: string, labels: string) =>
    `sum by (${labels}) (rate(${chosen(metric)}[$__rate_interval]))`;
  return withLevels(
    timeSeries(
      {
        title: 'Refused calls per second',
        description:
          'The ten calls and namespaces refused most in the time range. Any above 0 is an application that got ' +
          'EADDRNOTAVAIL (TCP connect), EAGAIN (UDP connect) or EADDRINUSE (bind). Retries are TCP connect() calls on a ' +
          'descriptor whose earlier connect() failed.',
        unit: CountsPerSecond,
      },
      [
        overTime(
          highest(10, rate('port_refusals_total', 'netns, protocol, scope')),
          '{{netns}}: {{protocol}} {{scope}}()',
        ),
        overTime(highest(10, rate('port_retry_refusals_total', 'netns')), '{{netns}}: tcp connect() retries'),
      ],
    ),
    NONE_REFUSED_STEPS,
  ).span(18);
}

function destinations() {
  return table(
    {
      title: 'Refused destinations',
      description:
        'Destinations to which the kernel refused TCP connect() with EADDRNOTAVAIL in the time range, retries included. ' +
        'Run `port-exporter explain ADDRESS:PORT --netns=NAME` on the host to see what would help. Connects left is ' +
        'empty if the destination is not among the fullest.',
      unit: LocaleFormat,
    },
    [
      { label: 'netns', name: 'Namespace' },
      { label: 'local_address', name: 'From' },
      { label: 'remote_address', name: 'To' },
      { label: 'remote_port', name: 'Port' },
    ],
    [
      { expr: REFUSED, name: 'Refused', properties: coloured(LocaleFormat, NONE_WANTED_STEPS) },
      {
        expr: `max by (${LABELS}) (${chosen('port_destination_refusals_total')}) and ${REFUSED}`,
        name: 'Since the exporter started',
        properties: COUNT,
      },
      {
        expr: `max by (${LABELS}) (${chosen('port_destination_available_ports')}) and ${REFUSED}`,
        name: 'Connects left',
        properties: coloured(LocaleFormat, LEFT_STEPS),
      },
    ],
    'Refused',
  );
}

function owners() {
  return bars(
    {
      title: 'Owners refused most',
      description:
        'Calls of a systemd unit, container, pod or cgroup that the kernel refused in the time range because no ' +
        'ephemeral port was left: whose application fails.',
      unit: LocaleFormat,
    },
    BAR_STEPS,
    [atEnd(`topk(10, sum by (owner) (${grown(chosen('port_owner_refusals_total'))}))`, '{{owner}}')],
  ).span(8);
}

function failures() {
  return stacked(
    timeSeries(
      {
        title: 'Failed TCP connects by errno',
        description:
          'EADDRNOTAVAIL: this host had no port left, or the application chose a port that was taken. ECONNREFUSED, ' +
          'ETIMEDOUT, EHOSTUNREACH: the other side is down. given_up: the application did not wait for the answer.',
        unit: CountsPerSecond,
      },
      [
        overTime(
          `sum by (error) (rate(${chosen('port_connect_failures_total')}[$__rate_interval]))`,
          '{{error}}',
        ),
      ],
    ),
  ).span(8);
}

function failingDestinations() {
  const failed = grown(chosen('port_destination_connect_failures_total'));
  return bars(
    {
      title: 'Failing destinations',
      description:
        'The ten destinations with the most failed TCP connects in the time range, by errno, without those refused ' +
        'because no ephemeral port was left.',
      unit: LocaleFormat,
    },
    BAR_STEPS,
    [
      atEnd(
        `topk(10, sum by (remote_address, remote_port, error) (${failed}))`,
        '{{remote_address}} port {{remote_port}}: {{error}}',
      ),
    ],
  ).span(8);
}
