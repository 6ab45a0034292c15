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
        'Each destination has one set of ports for each local address. Where none is left, the next connect() there ' +
        'fails with EADDRNOTAVAIL, while others still succeed. Reclaimable are those in TIME_WAIT that connect() takes ' +
        'over by itself. `port-exporter explain ADDRESS:PORT --netns=NAME` on the host says what would help.',
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
          'The ten destinations with the highest ratio in the time shown. At 100 % connect() to it fails with EADDRNOTAVAIL.',
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
      title: 'TIME_WAIT against reclaimable',
      description:
        'Ports towards the exported destinations. What is in TIME_WAIT and not reclaimable is kept for up to 60 s after ' +
        'the connection has ended: net.ipv4.tcp_tw_reuse or fewer, longer connections give it back before EADDRNOTAVAIL.',
      unit: LocaleFormat,
    },
    [
      overTime(`sum(${chosen('port_destination_used_ports', 'state="time_wait"')})`, 'in TIME_WAIT'),
      overTime(`sum(${chosen('port_destination_reclaimable_ports')})`, 'of those, reclaimable'),
      overTime(`sum(${chosen('port_destination_used_ports', 'state="established"')})`, 'established'),
    ],
  ).span(8);
}

function stuckInTimeWait() {
  const held = `max by (${LABELS}) (${chosen('port_destination_used_ports', 'state="time_wait"')})`;
  const reclaimable = `max by (${LABELS}) (${chosen('port_destination_reclaimable_ports')})`;
  return timeSeries(
    {
      title: 'Held by TIME_WAIT, not reclaimable',
      description:
        'The ten destinations that lose most ports to TIME_WAIT in the time shown: no connect() there can have these, ' +
        'and without others it fails with EADDRNOTAVAIL.',
      unit: LocaleFormat,
    },
    [overTime(highest(10, `(${held} - ${reclaimable})`), LEGEND)],
  ).span(8);
}

/** Of the fullest destinations alone. */
function of(metric: string, ...matchers: readonly string[]): string {
  return `max by (${LABELS}) (${chosen(metric, ...matchers)}) and ${FULLEST}`;
}
