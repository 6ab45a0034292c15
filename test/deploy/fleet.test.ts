import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { stringify } from 'yaml';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { columnsOf, type Dashboard, filledIn, panelsOf } from '../support/grafana.ts';

const FILE = new URL('../../deploy/grafana/port-exporter.json', import.meta.url);
const dashboard: Dashboard = JSON.parse(readFileSync(FILE, 'utf8'));

/** Of the fleet's table, by the title of its column. */
function expressionOf(title: string): string {
  const panel = panelsOf(dashboard).find((one) => one.title === 'Hosts and namespaces by worst ratio');
  if (panel === undefined) throw new Error('no such panel');
  const [source = ''] = Object.entries(columnsOf(panel)).find(([, name]) => name === title) ?? [];
  const target = panel.targets?.find(({ refId }) => source === `Value #${refId}`);
  if (target === undefined) throw new Error(`no column ${title}`);
  return filledIn(target.expr, dashboard.templating.list, { job: 'port-exporter' });
}

/** One measured at 88.7 %, one measured at 10 %, and 30 pods that were not read whole, of which each may be full. */
const SERIES = [
  ...[...seriesOf('measured', 1, 0.887), ...seriesOf('calm', 1, 0.1)],
  ...Array.from({ length: 30 }, (_, index) => seriesOf(`pod-${index}`, 0, 1)).flat(),
  ...seriesOf('pod-calm', 0, 0.3),
];

function seriesOf(netns: string, detail: number, ratio: number) {
  const labels = `job="port-exporter",instance="web1:10069",netns="${netns}"`;
  return [
    { series: `port_exporter_sample_detail{${labels}}`, values: `${detail}x4` },
    {
      series: `port_exhaustion_peak_ratio{${labels},protocol="tcp",scope="connect"}`,
      values: `${ratio}x4`,
    },
  ];
}

interface Given {
  readonly series: readonly { readonly series: string; readonly values: string }[];
  readonly at: string;
}

/** Of one evaluation by promtool. Throws what is not as expected. */
function evaluate(
  expr: string,
  expected: readonly { labels: string; value: number }[],
  { series: input_series, at: eval_time }: Given = { series: SERIES, at: '1m' },
): void {
  const file = join(newDirectory(), 'fleet.yml');
  const promql_expr_test = [{ expr, eval_time, exp_samples: expected }];
  writeFileSync(file, stringify({ tests: [{ interval: '15s', input_series, promql_expr_test }] }));
  execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
}

const of = (netns: string) => `{job="port-exporter", instance="web1:10069", netns="${netns}"}`;

describe('the table of the fleet, where more namespaces than it has rows are only bounded, as full', () => {
  itNeeding(missingTool('promtool'), 'sorts by what was measured', () => {
    evaluate(expressionOf('Worst connect()'), [
      { labels: of('measured'), value: 0.887 },
      { labels: of('calm'), value: 0.1 },
    ]);
  });

  itNeeding(missingTool('promtool'), 'has measured ones, and of those that may be near at most ten', () => {
    const shown = expressionOf('Ratios are');
    evaluate(`count((${shown}) == 1)`, [{ labels: '{}', value: 2 }]);
    evaluate(`count((${shown}) == 0)`, [{ labels: '{}', value: 10 }]);
    evaluate(`(${shown}) and on (netns) port_exporter_sample_detail{netns="pod-calm"}`, []);
    expect(() => evaluate(`count((${shown}) == 0)`, [{ labels: '{}', value: 11 }])).toThrow();
  });
});

describe('what Prometheus has of all jobs, where all jobs are chosen', () => {
  const series = [
    ...['web1', 'web2'].map((instance) => ({
      series: `port_exporter_build_info{job="port-exporter", instance="${instance}"}`,
      values: '1x480',
    })),
    // An hour without any exporter of this job.
    { series: 'port_exporter_build_info{job="pods", instance="node1"}', values: '1x240 stale' },
    ...[
      ['port-exporter', 'web1', 1],
      ['port-exporter', 'web2', 0],
      ['pods', 'node1', 0],
      ['node', 'node1', 0],
    ].map(([job, instance, up]) => ({
      series: `up{job="${job}", instance="${instance}"}`,
      values: `${up}x480`,
    })),
    ...['port-exporter', 'pods', 'node'].map((job) => ({
      series: `ALERTS{alertname="A", alertstate="firing", severity="warning", job="${job}", instance="i"}`,
      values: '1x480',
    })),
  ];
  const expressionIn = (title: string) => {
    const [target] = panelsOf(dashboard).find((one) => one.title === title)?.targets ?? [];
    return filledIn(target?.expr ?? '', dashboard.templating.list, { job: 'All' });
  };

  itNeeding(missingTool('promtool'), 'counts the exporters that are down, and no other target', () => {
    const expected = [{ labels: '{}', value: 2 }];
    evaluate(expressionIn('Exporters down, stale or failing'), expected, { series, at: '2h' });
  });

  itNeeding(missingTool('promtool'), 'counts alerts of jobs that have an exporter, and no others', () => {
    evaluate(expressionIn('Alerts firing'), [{ labels: '{}', value: 2 }], { series, at: '2h' });
  });
});
