import { BigValueTextMode } from '@grafana/grafana-foundation-sdk/common';
import { BytesIEC, LocaleFormat, NoUnit, PercentUnit, Seconds } from '@grafana/grafana-foundation-sdk/units';
import { atEnd, overTime } from '../panels/queries.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { timeSeries } from '../panels/timeSeries.ts';
import { chosen, HOST, OF_EXPORTERS } from '../promql.ts';
import { NONE_WANTED_STEPS, PLAIN_STEPS, WANTED_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

const SAMPLED_AT = `port_exporter_sample_timestamp_seconds{${HOST}}`;

/** Whether the numbers above are complete and fresh, and what they cost. */
export function exporterRow(): Row {
  return {
    title: '$instance: the exporter itself',
    panels: [
      ...[scraped(), collectors(), omitted(), build()],
      ...[durations(), freshness(), omittedByMetric(), cpu(), memory(), seen()],
    ],
  };
}

function scraped() {
  return stat(
    {
      title: 'Up',
      description: '1 if the last scrape of the exporter succeeded.',
      unit: NoUnit,
    },
    WANTED_STEPS,
    [atEnd(`max(up{${HOST}} ${OF_EXPORTERS})`, 'up')],
  ).span(3);
}

function collectors() {
  return stat(
    {
      title: 'Failing collectors',
      description:
        'Number of the chosen namespaces where each collector failed in the last sample. Its metrics are absent there, ' +
        "never old or zero; the log says why. For the exporter's own namespace, enter fails if others could not be found.",
      unit: LocaleFormat,
    },
    NONE_WANTED_STEPS,
    [atEnd(`sum by (collector) (${chosen('port_exporter_sample_success')} == bool 0)`, '{{collector}}')],
  )
    .span(8)
    .textMode(BigValueTextMode.ValueAndName);
}

function omitted() {
  return stat(
    {
      title: 'Omitted series',
      description: 'Series omitted because of the limit flags, which export the fullest first.',
      unit: LocaleFormat,
    },
    PLAIN_STEPS,
    [atEnd(`sum(port_exporter_omitted_series{${HOST}})`, 'omitted')],
  ).span(3);
}

function build() {
  return table(
    {
      title: 'Build',
      description: 'Version and revision of the exporter, version of Node.js, and source of the sockets.',
      unit: NoUnit,
    },
    [
      { label: 'instance', name: 'Host' },
      { label: 'version', name: 'Version' },
      { label: 'revision', name: 'Revision' },
      { label: 'node_version', name: 'Node.js' },
      { label: 'source', name: 'Source' },
    ],
    [
      {
        expr: `max by (instance, version, revision, node_version) (port_exporter_build_info{${HOST}})`,
      },
      {
        expr: `max by (instance, source) (port_exporter_source_info{${HOST}})`,
      },
    ],
    'Version',
  )
    .span(10)
    .height(4);
}

function durations() {
  return timeSeries(
    {
      title: 'Sample duration by collector',
      description: 'Duration in the last sample, for the slowest namespace.',
      unit: Seconds,
    },
    [overTime(`max by (collector) (${chosen('port_exporter_sample_duration_seconds')})`, '{{collector}}')],
  ).span(8);
}

function freshness() {
  return timeSeries(
    {
      title: 'Sample age and interval',
      description:
        'Age of the last sample when it was scraped, and actual interval: --sample.interval, or longer while ' +
        '--sample.max-duty stretches it. An age of several intervals means that sampling hangs.',
      unit: Seconds,
    },
    [
      overTime(`max(timestamp(${SAMPLED_AT}) - ${SAMPLED_AT})`, 'age when scraped'),
      overTime(`max(port_exporter_sample_interval_seconds{${HOST}})`, 'interval'),
      overTime(`max(${chosen('port_exporter_sample_age_seconds')})`, 'oldest namespace'),
    ],
  ).span(8);
}

function omittedByMetric() {
  return timeSeries(
    {
      title: 'Omitted series by metric',
      description: 'The ten metrics with the most. Raise the limit flag of those you need.',
      unit: LocaleFormat,
    },
    [overTime(`topk(10, sum by (metric) (port_exporter_omitted_series{${HOST}}))`, '{{metric}}')],
  ).span(8);
}

function cpu() {
  return timeSeries(
    {
      title: 'CPU',
      description: 'Cores used. Sampling takes at most --sample.max-duty of one core.',
      unit: PercentUnit,
    },
    [
      overTime(`sum(rate(port_exporter_sampler_cpu_seconds_total{${HOST}}[$__rate_interval]))`, 'sampling'),
      overTime(`sum(rate(process_cpu_seconds_total{${HOST}}[$__rate_interval]))`, 'serving'),
    ],
  ).span(8);
}

function memory() {
  return timeSeries(
    {
      title: 'Memory',
      description:
        'Resident memory of the process that samples and of the one that serves, some of which they share.',
      unit: BytesIEC,
    },
    [
      overTime(`sum(port_exporter_sampler_resident_memory_bytes{${HOST}})`, 'sampling'),
      overTime(`sum(process_resident_memory_bytes{${HOST}})`, 'serving'),
    ],
  ).span(8);
}

function seen() {
  return timeSeries(
    {
      title: 'Seen, exported or not',
      description: 'Total of what the limit flags apply to in the chosen namespaces, and sockets read.',
      unit: LocaleFormat,
    },
    [
      overTime(`sum(${chosen('port_exporter_sampled_sockets')})`, 'sockets'),
      overTime(`sum(${chosen('port_destinations')})`, 'destinations'),
      overTime(`sum(${chosen('port_local_addresses')})`, 'local addresses'),
      overTime(`sum(${chosen('port_owners')})`, 'owners'),
    ],
  ).span(8);
}
