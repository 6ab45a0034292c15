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
      title: 'The kernel gives a port',
      description:
        'Share of the chosen namespaces where bind(loopback, 0) was given a port. Below 100 % it failed with EADDRINUSE ' +
        'somewhere, as it does then for every program that asks so.',
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
      title: 'Time that bind() takes',
      description: 'Of the namespace where it took longest: the kernel looks longer the fuller the range is.',
      unit: Seconds,
    },
    [overTime(`max by (protocol, family) (${chosen('port_canary_duration_seconds')})`, LEGEND)],
  ).span(6);
}

function errors() {
  return timeSeries(
    {
      title: 'What the kernel said instead',
      description:
        'Namespaces by what the kernel said. EADDRINUSE: no port is left on the loopback address. EADDRNOTAVAIL or ' +
        'EAFNOSUPPORT: it has no such address, which says nothing of ports.',
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
      title: 'Disagreements a second',
      description:
        'Samples in which the kernel said something else than was calculated. Lasting ones are a wrong calculation, or ' +
        'sockets that the kernel does not show.',
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
