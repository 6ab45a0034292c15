import { LocaleFormat, NoUnit, PercentUnit, Seconds } from '@grafana/grafana-foundation-sdk/units';
import { overTime } from '../panels/queries.ts';
import { timeSeries } from '../panels/timeSeries.ts';
import { chosen } from '../promql.ts';
import type { Row } from './row.ts';

const LEGEND = '{{protocol}} {{family}}';

/** What the kernel itself says when it is asked for a port. */
export function canaryRow(): Row {
  return { title: '$instance: canary', panels: [givesPort(), duration(), errors(), disagreements()] };
}

function givesPort() {
  return timeSeries(
    {
      title: 'Canary success',
      description:
        'Share of the chosen namespaces where bind(loopback, 0) got a port. Below 100 % it failed somewhere, as it then ' +
        'does for every program: with EADDRINUSE when no port is left.',
      unit: PercentUnit,
    },
    [overTime(`avg by (protocol, family) (${chosen('port_canary_success')})`, LEGEND)],
  )
    .span(6)
    .max(1);
}

function duration() {
  return timeSeries(
    {
      title: 'Canary duration',
      description:
        'bind(loopback, 0) in the slowest namespace. The kernel searches longer as the range fills.',
      unit: Seconds,
    },
    [overTime(`max by (protocol, family) (${chosen('port_canary_duration_seconds')})`, LEGEND)],
  ).span(6);
}

function errors() {
  return timeSeries(
    {
      title: 'Canary errors',
      description:
        'Namespaces by error. EADDRINUSE: no port is left on the loopback address. EADDRNOTAVAIL or EAFNOSUPPORT: there ' +
        'is no such address, which says nothing about ports.',
      unit: LocaleFormat,
    },
    [
      overTime(
        `sum by (protocol, family, error) (${chosen('port_canary_error_info')})`,
        '{{protocol}} {{family}} {{error}}',
      ),
    ],
  ).span(6);
}

function disagreements() {
  return timeSeries(
    {
      title: 'Canary disagreements per second',
      description:
        'Samples in which the kernel answered otherwise than estimated. If they persist, the estimate is wrong or the ' +
        'kernel hides sockets.',
      unit: NoUnit,
    },
    [
      overTime(
        `sum by (protocol, family) (rate(${chosen('port_canary_disagreements_total')}[$__rate_interval]))`,
        LEGEND,
      ),
    ],
  ).span(6);
}
