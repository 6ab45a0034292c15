import { LocaleFormat, PercentUnit } from '@grafana/grafana-foundation-sdk/units';
import { CALLS, nameWithError } from '../calls.ts';
import { FRESH_INTERVALS, NEAR } from '../levels.ts';
import { coloured, ratioBar, yesOrNo } from '../panels/cells.ts';
import { atEnd, overTime } from '../panels/queries.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { timeSeries, withLevels } from '../panels/timeSeries.ts';
import { FLEET, highest, OF_EXPORTERS } from '../promql.ts';
import { EXHAUSTION_STEPS, LEFT_STEPS, NONE_WANTED_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

/**
 * The same ratio as in the alerts, of the worst namespace of each host. Of connect(), which nearly every program calls, because bind()
 * may have no port left for years where nobody calls it; and without the estimates of namespaces that were not fully dumped.
 *
 * Recorded, as everything here: a fleet's queries read one series per host. Without the rules they have no data, never a 0.
 */
const WORST_OF_HOST = `instance:port_exhaustion_peak_ratio:max{${FLEET}}`;

/** The most it can be where not every socket was read. */
const BOUND_OF_HOST = `instance:port_exhaustion_peak_ratio:bound{${FLEET}}`;

/** Whether anything is wrong anywhere, and where it is worst. */
export function fleetRow(): Row {
  return {
    title: 'Fleet: the worst first',
    panels: [worst(), hostsNear(), alertsFiring(), exportersFailing(), worstHosts(), worstOverTime()],
  };
}

function worst() {
  return stat(
    {
      title: 'Worst ratio',
      description:
        'The highest exhaustion ratio of connect() in the last minute, on any host and in any namespace. At 100 % it ' +
        'fails with EADDRNOTAVAIL (TCP) or EAGAIN (UDP); above 50 % it becomes slower.',
      unit: PercentUnit,
    },
    EXHAUSTION_STEPS,
    [atEnd(`max(${WORST_OF_HOST})`, 'worst')],
  ).decimals(1);
}

function hostsNear() {
  return stat(
    {
      title: `Hosts at ${NEAR * 100} % or more`,
      description:
        'Hosts on which connect() is close to EADDRNOTAVAIL (TCP) or EAGAIN (UDP) in at least one namespace.',
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [atEnd(`sum(${WORST_OF_HOST} >= bool ${NEAR})`, 'hosts')],
  );
}

function alertsFiring() {
  return stat(
    {
      title: 'Alerts firing',
      description: 'Firing alerts of these jobs as this Prometheus evaluates them, without severity info.',
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [
      atEnd(
        `count(ALERTS{alertstate="firing", severity!="info", ${FLEET}} ${OF_EXPORTERS}) or vector(0)`,
        'alerts',
      ),
    ],
  );
}

function exportersFailing() {
  const at = `port_exporter_sample_timestamp_seconds{${FLEET}}`;
  const success = `instance:port_exporter_sample_success:min{${FLEET}}`;
  const failing = [
    `max by (job, instance) (up{${FLEET}} ${OF_EXPORTERS}) == 0`,
    `max by (job, instance) (timestamp(${at}) - ${at}) > ${FRESH_INTERVALS} * max by (job, instance) (port_exporter_sample_interval_seconds{${FLEET}})`,
    `max by (job, instance) (${success}) == 0`,
  ];
  const areRulesMissing = `(count(port_exporter_build_info{${FLEET}}) unless count(${success}))`;
  return stat(
    {
      title: 'Exporters down, stale or failing',
      description:
        'Exporters that cannot be scraped, whose last sample was older than three of its intervals when scraped, or ' +
        'with a failed collector. Do not trust their data, nor its absence.',
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [atEnd(`(count(${failing.join(' or ')}) or vector(0)) unless ${areRulesMissing}`, 'exporters')],
  );
}

function worstHosts() {
  const by = 'by (job, instance, netns)';
  const worst = `topk(25, max ${by} (${WORST_OF_HOST}))`;
  // Apart, so that however many bounds there are, they neither push out nor come before what was measured.
  const bounded = `topk(10, max ${by} (${BOUND_OF_HOST}) >= ${NEAR})`;
  const shown = `(${worst} or ${bounded})`;
  const link = {
    id: 'links',
    value: [
      {
        title: 'Show this host and namespace below',
        url:
          '/d/${__dashboard.uid}?${datasource:queryparam}&${job:queryparam}&${__url_time_range}' +
          '&var-instance=${__data.fields.instance:percentencode}&var-netns=${__data.fields.netns:percentencode}',
      },
    ],
  };
  return table(
    {
      title: 'Hosts by worst namespace',
      description:
        'The 25 hosts of the fleet where connect() is closest to failing, each with its worst namespace, the highest ratio of ' +
        'the last minute of each call there, and the error that the application sees at 100 %. Below them are up to ten hosts ' +
        'with a namespace that was not fully dumped and may be close: its ratios are estimated upper limits. Click a host or ' +
        'namespace to show it in the rows below.',
      unit: PercentUnit,
    },
    [
      { label: 'instance', name: 'Host', properties: [link] },
      { label: 'netns', name: 'Namespace', properties: [link] },
    ],
    [
      { expr: worst, name: 'Worst connect()', properties: ratioBar(EXHAUSTION_STEPS) },
      ...CALLS.map((call) => ({
        expr: `max ${by} (instance_regime:port_exhaustion_peak_ratio:worst{${FLEET}, protocol="${call.protocol}", scope="${call.scope}"}) and ${shown}`,
        name: nameWithError(call),
        properties: coloured(PercentUnit, EXHAUSTION_STEPS),
      })),
      {
        expr: `min ${by} (instance:port_exhaustion_available_ports:worst{${FLEET}}) and ${shown}`,
        name: 'Connects left',
        properties: coloured(LocaleFormat, LEFT_STEPS),
      },
      {
        expr: `(${worst} >= bool 0) or (${bounded} < bool 0)`,
        name: 'Ratios are',
        properties: yesOrNo('exact', 'estimated', {}),
      },
    ],
    'Worst connect()',
  ).height(8);
}

function worstOverTime() {
  const ratio = `max by (instance) (${WORST_OF_HOST})`;
  return withLevels(
    timeSeries(
      {
        title: 'Worst ratio over time',
        description:
          'The ten hosts where connect() was closest to failing (EADDRNOTAVAIL, EAGAIN) in the time range. Dashed ' +
          'lines are the levels of the alerts.',
        unit: PercentUnit,
      },
      [overTime(highest(10, ratio), '{{instance}}')],
    ),
    EXHAUSTION_STEPS,
  )
    .span(24)
    .height(7)
    .max(1);
}
