import { LocaleFormat, PercentUnit } from '@grafana/grafana-foundation-sdk/units';
import { COUNT, coloured, ratioBar } from '../panels/cells.ts';
import { overTime } from '../panels/queries.ts';
import { table } from '../panels/table.ts';
import { timeSeries, withLevels } from '../panels/timeSeries.ts';
import { chosen, highest } from '../promql.ts';
import { EXHAUSTION_STEPS, LEFT_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const LABELS = 'netns, local_address, remote_address, remote_port';
const LEGEND = '{{netns}}: {{local_address}} → {{remote_address}} port {{remote_port}}';
const RATIO = `max by (${LABELS}) (${chosen('port_destination_exhaustion_ratio')})`;
const FULLEST = `topk(50, ${RATIO})`;

/** Where the ports are used up. */
export function destinationsRow(): Row {
  return {
    title: '$instance: fullest destinations of TCP connect()',
    panels: [fullest(), ratioOverTime(), timeWait(), stuckInTimeWait()],
  };
}

function fullest() {
  const inState = (state: string) => of(`port_destination_used_ports`, `state="${state}"`);
  return table(
    {
      title: 'Fullest destinations',
      description:
        'Each destination has one set of ports for each local address. When none is left, the next connect() there ' +
        'fails with EADDRNOTAVAIL, while others still succeed. Reclaimable ports are in TIME_WAIT, and connect() can ' +
        'reuse them. Run `port-exporter explain ADDRESS:PORT --netns=NAME` on the host to see what would help.',
      unit: LocaleFormat,
    },
    [
      { label: 'netns', name: 'Namespace' },
      { label: 'local_address', name: 'From' },
      { label: 'remote_address', name: 'To' },
      { label: 'remote_port', name: 'Port' },
    ],
    [
      { expr: FULLEST, name: 'Ratio', properties: ratioBar(EXHAUSTION_STEPS) },
      {
        expr: of('port_destination_available_ports'),
        name: 'Connects left',
        properties: coloured(LocaleFormat, LEFT_STEPS),
      },
      { expr: inState('established'), name: 'Established', properties: COUNT },
      { expr: inState('time_wait'), name: 'TIME_WAIT', properties: COUNT },
      { expr: inState('other'), name: 'Other states', properties: COUNT },
      { expr: of('port_destination_reclaimable_ports'), name: 'Reclaimable', properties: COUNT },
    ],
    'Ratio',
  ).height(9);
}

function ratioOverTime() {
  return withLevels(
    timeSeries(
      {
        title: 'Ratio of the fullest destinations',
        description:
          'The ten destinations with the highest ratio in the time range. At 100 %, connect() fails with EADDRNOTAVAIL.',
        unit: PercentUnit,
      },
      [overTime(highest(10, RATIO), LEGEND)],
    ),
    EXHAUSTION_STEPS,
  ).span(8);
}

function timeWait() {
  return timeSeries(
    {
      title: 'TIME_WAIT and reclaimable ports',
      description:
        'Ports towards the exported destinations. A port in TIME_WAIT that is not reclaimable is held for up to 60 s ' +
        'after its connection ends: set net.ipv4.tcp_tw_reuse or reuse connections to avoid EADDRNOTAVAIL.',
      unit: LocaleFormat,
    },
    [
      overTime(`sum(${chosen('port_destination_used_ports', 'state="time_wait"')})`, 'in TIME_WAIT'),
      overTime(`sum(${chosen('port_destination_reclaimable_ports')})`, 'reclaimable'),
      overTime(`sum(${chosen('port_destination_used_ports', 'state="established"')})`, 'established'),
    ],
  ).span(8);
}

function stuckInTimeWait() {
  const held = `max by (${LABELS}) (${chosen('port_destination_used_ports', 'state="time_wait"')})`;
  const reclaimable = `max by (${LABELS}) (${chosen('port_destination_reclaimable_ports')})`;
  return timeSeries(
    {
      title: 'Not reclaimable in TIME_WAIT',
      description:
        'The ten destinations that lose the most ports to TIME_WAIT in the time range: no connect() there can use ' +
        'these, and when no others are left, it fails with EADDRNOTAVAIL.',
      unit: LocaleFormat,
    },
    [overTime(highest(10, `(${held} - ${reclaimable})`), LEGEND)],
  ).span(8);
}

/** Of the fullest destinations alone. */
function of(metric: string, ...matchers: readonly string[]): string {
  return `max by (${LABELS}) (${chosen(metric, ...matchers)}) and ${FULLEST}`;
}
