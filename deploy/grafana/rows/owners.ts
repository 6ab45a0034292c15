import { LocaleFormat } from '@grafana/grafana-foundation-sdk/units';
import { bars } from '../panels/bars.ts';
import { atEnd, overTime } from '../panels/queries.ts';
import { timeSeries } from '../panels/timeSeries.ts';
import { chosen, highest } from '../promql.ts';
import { BAR_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const LEGEND = '{{owner}} {{protocol}}';
const PORTS = `sum by (owner, protocol) (${chosen('port_owner_ephemeral_ports')})`;

/** Who holds the ports. */
export function ownersRow(): Row {
  return { title: '$instance: owners of ephemeral ports', panels: [most(), overTimeShown()] };
}

function most() {
  return bars(
    {
      title: 'Owners with the most ports',
      description:
        'Distinct usable ports held by the sockets of a systemd unit, container, pod or cgroup: look here first when ' +
        'calls fail with EADDRNOTAVAIL, EADDRINUSE or EAGAIN. Sockets in TIME_WAIT have no owner: unattributed.',
      unit: LocaleFormat,
    },
    BAR_STEPS,
    [atEnd(`topk(10, ${PORTS})`, LEGEND)],
  ).span(9);
}

function overTimeShown() {
  return timeSeries(
    {
      title: 'Ports by owner',
      description:
        'The ten owners with the most ports in the time range. An owner that keeps growing leaks sockets until calls ' +
        'fail with EADDRNOTAVAIL, EADDRINUSE or EAGAIN.',
      unit: LocaleFormat,
    },
    [overTime(highest(10, PORTS), LEGEND)],
  ).span(15);
}
