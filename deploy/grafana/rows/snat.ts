import { CountsPerSecond, LocaleFormat, PercentUnit } from '@grafana/grafana-foundation-sdk/units';
import { COUNT, coloured, ratioBar } from '../panels/cells.ts';
import { overTime } from '../panels/queries.ts';
import { table } from '../panels/table.ts';
import { timeSeries, withLevels } from '../panels/timeSeries.ts';
import { chosen, highest } from '../promql.ts';
import { CONNTRACK_STEPS, LEFT_STEPS, SNAT_REFUSAL_STEPS, SNAT_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const REGIME = 'netns, protocol';
const LABELS = 'netns, protocol, nat_address, remote_address, remote_port';
const USED = `sum by (${LABELS}) (${chosen('port_snat_destination_used_ports')})`;
const LEFT = `max by (${LABELS}) (${chosen('port_snat_destination_available_ports')})`;
const RATIO = `${USED} / (${USED} + ${LEFT})`;
const FULLEST = `topk(50, ${RATIO})`;

/** Whether connections behind a NAT find a port, and whether conntrack has room for them. */
export function snatRow(): Row {
  return {
    title: '$instance: ports behind a NAT, and conntrack',
    panels: [refusals(), ratios(), entries(), destinations(), drops(), found()],
  };
}

function refusals() {
  return withLevels(
    timeSeries(
      {
        title: 'New packets that find no SNAT port',
        description:
          'Share of new packets, towards the destination where it is worst, that are dropped in silence: the client retries ' +
          'after 1 s and 3 s, or times out; UDP is lost. An upper limit where the rule keeps source ports. The ten highest.',
        unit: PercentUnit,
      },
      [
        overTime(
          highest(10, `max by (${REGIME}) (${chosen('port_snat_refusal_ratio')})`),
          '{{netns}}: {{protocol}}',
        ),
      ],
    ),
    SNAT_REFUSAL_STEPS,
  ).span(8);
}

function ratios() {
  return withLevels(
    timeSeries(
      {
        title: 'SNAT ports used',
        description:
          'Towards the fullest destination, highest of the last minute. Large ranges are not searched whole: packets may be ' +
          'dropped from 50 % on. Absent while few connections are tracked. The ten highest.',
        unit: PercentUnit,
      },
      [
        overTime(
          highest(10, `max by (${REGIME}) (${chosen('port_snat_peak_ratio')})`),
          '{{netns}}: {{protocol}}',
        ),
      ],
    ),
    SNAT_STEPS,
  ).span(8);
}

function entries() {
  const ratio = `max by (netns) (${chosen('port_conntrack_entries')} / ${chosen('port_conntrack_entries_limit')})`;
  return withLevels(
    timeSeries(
      {
        title: 'Conntrack table',
        description:
          'Tracked connections / net.netfilter.nf_conntrack_max. At 100 % packets of new connections are dropped in silence, ' +
          'whatever their destination. The ten fullest namespaces.',
        unit: PercentUnit,
      },
      [overTime(highest(10, ratio), '{{netns}}')],
    ),
    CONNTRACK_STEPS,
  ).span(8);
}

function destinations() {
  const inState = (state: string) =>
    `max by (${LABELS}) (${chosen('port_snat_destination_used_ports', `state="${state}"`)}) and ${FULLEST}`;
  const clients = `max by (${LABELS}, client_address) (${chosen('port_snat_destination_client_ports')})`;
  return table(
    {
      title: 'Fullest destinations behind a NAT',
      description:
        'Each destination has one set of ports for each NAT address. When none is found, packets of new connections there are ' +
        'dropped in silence. Run `port-exporter snat ADDRESS:PORT --netns=NAME` on the host to see what would help.',
      unit: LocaleFormat,
    },
    [
      { label: 'netns', name: 'Namespace' },
      { label: 'protocol', name: 'Protocol' },
      { label: 'nat_address', name: 'NAT address' },
      { label: 'remote_address', name: 'To' },
      { label: 'remote_port', name: 'Port' },
      { label: 'client_address', name: 'Top client' },
    ],
    [
      { expr: FULLEST, name: 'Used', properties: ratioBar(SNAT_STEPS) },
      {
        expr: `max by (${LABELS}) (${chosen('port_snat_destination_refusal_ratio')}) and ${FULLEST}`,
        name: 'Find no port',
        properties: coloured(PercentUnit, SNAT_REFUSAL_STEPS),
      },
      { expr: `${LEFT} and ${FULLEST}`, name: 'Ports left', properties: coloured(LocaleFormat, LEFT_STEPS) },
      {
        expr: `topk by (${LABELS}) (1, ${clients}) and on (${LABELS}) ${FULLEST}`,
        name: 'Its ports',
        properties: COUNT,
      },
      { expr: inState('established'), name: 'Established', properties: COUNT },
      { expr: inState('time_wait'), name: 'TIME_WAIT', properties: COUNT },
      { expr: inState('other'), name: 'Other states', properties: COUNT },
    ],
    'Used',
  );
}

function drops() {
  return timeSeries(
    {
      title: 'Dropped by conntrack',
      description:
        'insert_failed: packets for which SNAT found no port, or that raced. dropped: those, and packets that met a full table. ' +
        'early_dropped: connections ended early to make room in a full table. Of the ten namespaces with the most of each.',
      unit: CountsPerSecond,
    },
    ['insert_failed', 'dropped', 'early_dropped'].map((counter) =>
      overTime(highest(10, rate(`port_conntrack_${counter}_total`)), `{{netns}}: ${counter}`),
    ),
  );
}

function found() {
  return timeSeries(
    {
      title: 'Taken ports that SNAT met',
      description:
        'Lookups for a NAT port that met a taken one: about 248 for each packet that finds none in a range above 128 ports. A rise ' +
        'is the early warning that needs no privilege. The ten highest.',
      unit: CountsPerSecond,
    },
    [overTime(highest(10, rate('port_conntrack_found_total')), '{{netns}}')],
  );
}

function rate(counter: string): string {
  return `sum by (netns) (rate(${chosen(counter)}[$__rate_interval]))`;
}
