import { DurationSeconds, LocaleFormat, Seconds } from '@grafana/grafana-foundation-sdk/units';
import { COUNT, ratioBar, yesOrNo } from '../panels/cells.ts';
import { atEnd } from '../panels/queries.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { chosen, HOST } from '../promql.ts';
import { EXHAUSTION_STEPS, PLAIN_STEPS } from '../thresholds.ts';
import type { Row } from './row.ts';

/** Which network namespaces there are, who is in them, and how well each is known. */
export function namespacesRow(): Row {
  return {
    title: '$instance: network namespaces',
    panels: [found(), sampled(), estimated(), oldest(), namespaces()],
  };
}

function found() {
  return stat(
    {
      title: 'Found',
      description: 'Network namespaces on this host, in /proc and /run/netns, sampled or not.',
      unit: LocaleFormat,
    },
    PLAIN_STEPS,
    [atEnd(`max(port_namespaces{${HOST}})`, 'found')],
  );
}

function sampled() {
  return stat(
    {
      title: 'Sampled',
      description: 'Namespaces selected by --namespaces and --namespaces.limit, as chosen above.',
      unit: LocaleFormat,
    },
    PLAIN_STEPS,
    [atEnd(`count(max by (netns) (${chosen('port_namespace_info')}))`, 'sampled')],
  );
}

function estimated() {
  return stat(
    {
      title: 'Estimated',
      description:
        'Namespaces of which only the listeners and the socket counts are read, because the counts show that few ports ' +
        'are used: their ratios are estimated upper limits, and they have no destinations.',
      unit: LocaleFormat,
    },
    PLAIN_STEPS,
    [atEnd(`count(${chosen('port_exporter_sample_detail')} == 0) or vector(0)`, 'estimated')],
  );
}

function oldest() {
  return stat(
    {
      title: 'Oldest sample',
      description:
        'Age of the oldest namespace sample when the last round was complete. Namespaces take turns if dumping all of ' +
        'them would exceed --sample.max-duty.',
      unit: Seconds,
    },
    PLAIN_STEPS,
    [atEnd(`max(${chosen('port_exporter_sample_age_seconds')})`, 'oldest')],
  );
}

function namespaces() {
  const of = (metric: string) => `max by (netns) (${chosen(metric)})`;
  return table(
    {
      title: 'Namespaces',
      description:
        'Labels to join a namespace with: its inode (lsns), container, pod uid and a process in it. Each namespace has ' +
        'its own ports, which run out (EADDRNOTAVAIL, EADDRINUSE, EAGAIN) only for the processes in it.',
      unit: LocaleFormat,
    },
    [
      { label: 'netns', name: 'Namespace' },
      { label: 'process', name: 'Process' },
      { label: 'container', name: 'Container' },
      { label: 'pod_uid', name: 'Pod uid' },
      { label: 'inode', name: 'Inode' },
    ],
    [
      {
        expr: `max by (netns, process, container, pod_uid, inode) (${chosen('port_namespace_info')})`,
      },
      { expr: of('port_exhaustion_peak_ratio'), name: 'Worst ratio', properties: ratioBar(EXHAUSTION_STEPS) },
      { expr: of('port_exporter_sampled_sockets'), name: 'Sockets read', properties: COUNT },
      { expr: of('port_destinations'), name: 'Destinations', properties: COUNT },
      {
        expr: of('port_exporter_sample_detail'),
        name: 'Read',
        properties: yesOrNo('all sockets', 'counts only', {}),
      },
      {
        expr: of('port_exporter_sample_age_seconds'),
        name: 'Age',
        properties: [{ id: 'unit', value: DurationSeconds }],
      },
    ],
    'Worst ratio',
  );
}
