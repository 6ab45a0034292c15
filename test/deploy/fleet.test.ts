import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { stringify } from 'yaml';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { columnsOf, type Dashboard, filledIn, panelsOf } from '../support/grafana.ts';
import { DEPLOY } from './ruleFile.ts';

const FILE = new URL('../../deploy/grafana/port-exporter.json', import.meta.url);
const dashboard: Dashboard = JSON.parse(readFileSync(FILE, 'utf8'));

const RULES = `${DEPLOY}/prometheus/rules.yml`;

/** Of a panel with one number. */
function statOf(title: string): string {
  const [target] = panelsOf(dashboard).find((one) => one.title === title)?.targets ?? [];
  if (target === undefined) throw new Error(`no panel ${title}`);
  return filledIn(target.expr, dashboard.templating.list, { job: 'port-exporter' });
}

/** Of the fleet's table, by the title of its column. */
function expressionOf(title: string): string {
  const panel = panelsOf(dashboard).find((one) => one.title === 'Hosts by worst namespace');
  if (panel === undefined) throw new Error('no such panel');
  const [source = ''] = Object.entries(columnsOf(panel)).find(([, name]) => name === title) ?? [];
  const target = panel.targets?.find(({ refId }) => source === `Value #${refId}`);
  if (target === undefined) throw new Error(`no column ${title}`);
  return filledIn(target.expr, dashboard.templating.list, { job: 'port-exporter' });
}

/** One measured at 88.7 %, one measured at 10 %, and 30 hosts of pods that were not read whole, of which each may be full. */
const SERIES = [
  ...[...seriesOf('measured', 1, 0.887), ...seriesOf('calm', 1, 0.1)],
  ...Array.from({ length: 30 }, (_, index) => seriesOf(`pods-${index}`, 0, 1)).flat(),
  ...seriesOf('pods-calm', 0, 0.3),
];

function seriesOf(instance: string, detail: number, ratio: number) {
  const labels = `job="port-exporter",instance="${instance}",netns="a"`;
  return [
    { series: `port_exporter_sample_detail{${labels}}`, values: `${detail}x4` },
    {
      series: `port_exhaustion_peak_ratio{${labels},protocol="tcp",scope="connect"}`,
      values: `${ratio}x4`,
    },
    {
      series: `port_exhaustion_available_ports{${labels},protocol="tcp",scope="connect"}`,
      values: `${Math.round((1 - ratio) * 1000)}x4`,
    },
  ];
}

interface Given {
  readonly rules: readonly string[];
  readonly series: readonly { readonly series: string; readonly values: string }[];
  readonly at: string;
}

/** Of one evaluation by promtool, with or without the rules. Throws what is not as expected. */
function evaluate(
  expr: string,
  expected: readonly { labels: string; value: number }[],
  { rules = [RULES], series = SERIES, at = '1m' }: Partial<Given> = {},
): void {
  const file = join(newDirectory(), 'fleet.yml');
  const promql_expr_test = [{ expr, eval_time: at, exp_samples: expected }];
  writeFileSync(
    file,
    stringify({
      rule_files: rules,
      evaluation_interval: '15s',
      tests: [{ interval: '15s', input_series: series, promql_expr_test }],
    }),
  );
  execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
}

const of = (instance: string) => `{job="port-exporter", instance="${instance}", netns="a"}`;

describe('the table of the fleet, where more hosts than it has rows are only bounded, as full', () => {
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
    evaluate(`(${shown}) and on (instance) port_exporter_sample_detail{instance="pods-calm"}`, []);
    expect(() => evaluate(`count((${shown}) == 0)`, [{ labels: '{}', value: 11 }])).toThrow();
  });

  itNeeding(missingTool('promtool'), 'has the calls of each host shown, measured or not', () => {
    const ofCall = expressionOf('TCP connect() → EADDRNOTAVAIL');
    evaluate(`count(${ofCall})`, [{ labels: '{}', value: 12 }]);
    evaluate(`(${expressionOf('Connects left')}) > 0`, [
      { labels: of('measured'), value: 113 },
      { labels: of('calm'), value: 900 },
    ]);
  });
});

describe('the numbers of the fleet', () => {
  const healthy = ['up', 'port_exporter_build_info', 'port_exporter_sample_success'].flatMap((metric) =>
    ['one', 'two'].map((instance) => ({
      series: `${metric}{job="port-exporter",instance="${instance}"}`,
      values: '1x4',
    })),
  );
  const failing = {
    series: 'port_exporter_sample_success{job="port-exporter",instance="two",collector="udp"}',
    values: '0x4',
  };
  /** Both after ten minutes. */
  const down = healthy.map(({ series }) => ({
    series,
    values: series.startsWith('up{') ? '1x39 0x300' : '1x39 stale',
  }));

  itNeeding(missingTool('promtool'), 'count hosts that are near, and 0 where none is', () => {
    const near = statOf('Hosts at 80 % or more');
    evaluate(near, [{ labels: '{}', value: 1 }]);
    evaluate(near, [{ labels: '{}', value: 0 }], { series: seriesOf('calm', 1, 0.1) });
  });

  itNeeding(missingTool('promtool'), 'count exporters that fail, also where all are down', () => {
    const failed = statOf('Exporters down, stale or failing');
    evaluate(failed, [{ labels: '{}', value: 0 }], { series: healthy });
    evaluate(failed, [{ labels: '{}', value: 1 }], { series: [...healthy, failing] });
    evaluate(failed, [{ labels: '{}', value: 2 }], { series: down, at: '1h5m' });
  });

  itNeeding(missingTool('promtool'), 'are absent, and not 0, where the rules are not loaded', () => {
    for (const title of ['Worst ratio', 'Hosts at 80 % or more']) evaluate(statOf(title), [], { rules: [] });
    const series = [...healthy, failing];
    evaluate(statOf('Exporters down, stale or failing'), [], { rules: [], series });
  });
});

describe('what Prometheus has of all jobs, where all jobs are chosen', () => {
  const series = [
    ...['web1', 'web2'].map((instance) => ({
      series: `port_exporter_build_info{job="port-exporter", instance="${instance}"}`,
      values: '1x480',
    })),
    { series: 'port_exporter_sample_success{job="port-exporter", instance="web1"}', values: '1x480' },
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
    // Without the rules, whose own alerts would come to those given.
    evaluate(expressionIn('Alerts firing'), [{ labels: '{}', value: 2 }], { rules: [], series, at: '2h' });
  });
});
