import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { stringify } from 'yaml';
import { readRules, recordingsOf } from '../deploy/ruleFile.ts';
import { newCgroups, UNIQUE } from '../live/support/cgroups.ts';
import { newWorld, times } from '../live/support/exact.ts';
import { newHolderIn } from '../live/support/holder.ts';
import { BPF_READS_TABLES, SLOWNESS } from '../live/support/kernel.ts';
import { describeInCgroups } from '../live/support/privilege.ts';
import { untilRefused } from '../live/support/world.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import {
  type Choices,
  columnsOf,
  type Dashboard,
  filledIn,
  panelsOf,
  type Target,
} from '../support/grafana.ts';
import { parsePromql } from '../support/promql.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon } from './support/program.ts';
import { Prometheus } from './support/prometheus.ts';

const OF_REFUSALS = /port_\w*(?:refusals|connect_failures)_total/;
const dashboard: Dashboard = JSON.parse(
  readFileSync(new URL('../../deploy/grafana/port-exporter.json', import.meta.url), 'utf8'),
);
const variables = dashboard.templating.list;
/** All, but where BPF takes a newer kernel those of refused calls. */
const PANELS = panelsOf(dashboard).filter(
  ({ targets = [] }) => BPF_READS_TABLES || !targets.some(({ expr }) => OF_REFUSALS.test(expr)),
);
const JOB = 'port-exporter';
const INSTANCE = '127.0.0.1:10069';
// It waits for several scrapes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 * SLOWNESS });

/** Each scrape adds them. */
const OF_PROMETHEUS = ['job', 'instance'];
/** Prometheus' own, without labels that it does not say. */
const NOT_THE_EXPORTERS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  ALERTS: ['alertname', 'alertstate', 'netns', 'severity'],
  // recorded
  'instance:port_exhaustion_peak_ratio:max': ['netns'],
  'instance:port_exhaustion_peak_ratio:bound': ['netns'],
  'instance:port_exhaustion_available_ports:worst': ['netns'],
  'instance_regime:port_exhaustion_peak_ratio:worst': ['netns', 'protocol', 'scope'],
};

const NAT = `table ip nat {
  chain after {
    type nat hook postrouting priority 100;
    ip daddr 127.0.0.5 udp dport 8053 snat to 127.0.0.6:3000-3007
  }
}`;

/** Of everything that the dashboard shows → what to probe. */
function populate(): string {
  const world = newWorld({ range: [40_000, 40_199] });
  // In the range: blocked.
  world.listen('127.0.0.1', 40_010);
  world.bound('127.0.0.1', 40_011);
  world.listen('127.0.0.9', 8002, { backlog: 1 });
  // More than may wait: the listener drops them.
  times(2, () => world.connect('127.0.0.9', 8002));
  times(4, () => world.knock('127.0.0.9', 8002));
  times(30, () => world.connect('127.0.0.2'));
  world.timeWait(10, '127.0.0.3');
  times(5, () => world.connectUdp('127.0.0.1'));
  world.bound('127.0.0.1', 5353, { type: 'udp' });
  // No ::1: the canary has nothing to ask for there.
  world.sysctl('net.ipv6.conf.lo.disable_ipv6', '1');
  world.listen('127.0.0.1', 8003);
  untilRefused(() => world.connect('127.0.0.4', 8001, { from: '127.0.0.8', noPort: true }));
  // Half of the ports that a NAT has.
  execFileSync('nft', ['-f', '-'], { input: NAT });
  world.bound('127.0.0.5', 8053, { type: 'udp' });
  times(4, () => world.sendUdp('127.0.0.5', 8053));
  return [
    '- {name: well, target: "tcp://localhost:8003", interval: 1s}',
    '- {name: down, target: "tcp://127.0.0.4:8009", interval: 1s}',
    '- {name: without a port, target: "tcp://127.0.0.4:8001", interval: 1s, source: 127.0.0.8}',
  ].join('\n');
}

/** A pod of one container, which does nothing, in a network namespace of its own → what that is called. */
async function startPod(): Promise<string> {
  const uid = randomUUID();
  const slice = `kubepods-besteffort-pod${uid.replaceAll('-', '_')}.slice`;
  const cgroup = newCgroups().make(`${UNIQUE}.slice/${slice}/cri-containerd-${'c'.repeat(64)}.scope`);
  await newHolderIn(cgroup);
  return uid;
}

describeInCgroups('the Grafana dashboard', () => {
  itNeeding(
    missingTool('prometheus') ?? missingTool('nft'),
    'shows something in every panel, asked of a real Prometheus',
    async () => {
      const probeFile = join(newDirectory(), 'probes.yml');
      writeFileSync(probeFile, populate());
      const pod = await startPod();
      const daemon = await Daemon.started(
        [
          `--web.listen-address=${INSTANCE}`,
          `--namespaces=${pod}`,
          `--probe.file=${probeFile}`,
          '--snat.ports=3000-3007',
          '--sample.interval=500ms',
          '--sample.max-duty=1',
        ],
        { env: { PORT_EXPORTER_PROCESSES_BUDGET: '5s' } },
      );
      const prometheus = await Prometheus.started(configuration());
      await metBy(prometheus, 'ALERTS{alertstate="firing"}');
      await metBy(prometheus, 'ALERTS{alertstate="pending"}');
      await metBy(prometheus, 'port_snat_exhaustion_ratio == 0.5');
      await metBy(prometheus, 'port_probe_success{target="well"} == 1');
      await metBy(prometheus, 'port_probe_error_info{target="down", reason="refused"}');
      await metBy(prometheus, 'port_probe_error_info{target="without a port", reason="no_local_port"}');
      // The probe without a port is refused one, again and again.
      if (BPF_READS_TABLES) await metBy(prometheus, 'port_destination_refusals_total > 1');
      await metBy(prometheus, `count_over_time(up{job="${JOB}"}[1m]) >= 5`);
      await metBy(prometheus, 'instance:port_exhaustion_available_ports:worst');

      const netnses = await valuesOf(prometheus, 'netns', { job: [JOB], instance: INSTANCE });
      expect(netnses).toHaveLength(2);
      expect(netnses).toContain(pod);
      const [ownName = ''] = netnses.filter((one) => one !== pod);
      expect(ownName).toMatch(/^net:\[\d+\]$/);
      expect(await valuesOf(prometheus, 'job', {})).toEqual([JOB]);
      expect(await valuesOf(prometheus, 'instance', { job: JOB })).toEqual([INSTANCE]);

      const scraped = parseExposition((await daemon.get('/metrics')).text);
      const all = { job: [JOB], instance: INSTANCE, netns: 'All' };
      expect(await emptyColumns(prometheus, all)).toEqual(
        existsSync('/etc/services') ? [] : ['Listeners: service'],
      );
      for (const netns of ['All', ownName, [ownName, pod]]) {
        const choices = { ...all, netns };
        expect(await problems(prometheus, choices, scraped), JSON.stringify(choices)).toEqual([]);
      }
    },
  );
});

/** The recording rules as they are deployed, one whose alert fires at once, and one whose alert does not for an hour. */
function configuration(): string {
  const rules = join(newDirectory(), 'rules.yml');
  const alert = { expr: 'port_exhaustion_ratio >= 0', labels: { severity: 'warning' } };
  const alerts = [
    { ...alert, alert: 'Firing' },
    { ...alert, alert: 'Pending', for: '1h' },
  ];
  const groups = [
    { name: 'recorded', interval: '1s', rules: recordingsOf(readRules()) },
    { name: 'alerts', interval: '1s', rules: alerts },
  ];
  writeFileSync(rules, stringify({ groups }));
  return (
    `rule_files: ["${rules}"]\n` +
    `scrape_configs: [{job_name: ${JOB}, scrape_interval: 1s, static_configs: [{targets: ["${INSTANCE}"]}]}]\n`
  );
}

/** What is wrong with any query of the dashboard where these are chosen; nothing should be. */
async function problems(
  prometheus: Prometheus,
  choices: Choices,
  scraped: readonly Series[],
): Promise<string[]> {
  const found: string[] = [];
  const check = async (where: string, target: Target) => {
    const expr = filledIn(target.expr, variables, choices);
    const { said, series } = await asked(prometheus, expr, target.instant === true);
    const complain = (what: string) => found.push(`${where}: ${what}: ${expr}`);
    if (said !== '') complain(said);
    else if (series.length === 0) complain('empty');
    for (const unknown of unknownLabels(expr, scraped)) complain(`the exporter has no ${unknown}`);
    if (target.legendFormat === undefined) return;
    // Else two lines would have one name, or a name would have a hole.
    const named = placeholders(target.legendFormat).toSorted();
    for (const labels of series) {
      if (Object.keys(labels).toSorted().join() !== named.join())
        complain(`legend of ${JSON.stringify(labels)}`);
    }
  };
  const shown = PANELS.flatMap(({ title, targets = [] }) =>
    targets.map((target) => check(`${title} ${target.refId}`, target)),
  );
  const marked = dashboard.annotations.list.map(({ name, target }) => check(name, target));
  await Promise.all([...shown, ...marked]);
  return found;
}

/** Columns of tables out of labels that no answer has: Prometheus drops empty ones. */
async function emptyColumns(prometheus: Prometheus, choices: Choices): Promise<string[]> {
  const empty: string[] = [];
  for (const panel of PANELS) {
    const exprs = panel.targets?.map(({ expr }) => filledIn(expr, variables, choices)) ?? [];
    const columns = Object.keys(columnsOf(panel)).filter((source) => !source.startsWith('Value'));
    if (columns.length === 0) continue;
    const answers = await Promise.all(exprs.map((expr) => asked(prometheus, expr, true)));
    const labels = new Set(answers.flatMap(({ series }) => series.flatMap(Object.keys)));
    empty.push(...columns.filter((label) => !labels.has(label)).map((label) => `${panel.title}: ${label}`));
  }
  return empty;
}

/** Labels, as `metric{label}`, that an expression relies on and the exporter does not have. */
function unknownLabels(expr: string, scraped: readonly Series[]): string[] {
  const labelsOf = (metric: string): readonly string[] => [
    ...OF_PROMETHEUS,
    ...(NOT_THE_EXPORTERS[metric] ?? []),
    ...scraped.filter(({ name }) => name === metric).flatMap(({ labels }) => Object.keys(labels)),
  ];
  const { selectors, grouping } = parsePromql(expr);
  const anywhere = new Set([...selectors.flatMap(({ metric }) => labelsOf(metric))]);
  return [
    ...selectors.flatMap(({ metric, labels }) => {
      const known = labelsOf(metric);
      return labels.filter((label) => !known.includes(label)).map((label) => `${metric}{${label}}`);
    }),
    ...grouping.filter((label) => !anywhere.has(label)),
  ];
}

interface Answer {
  /** Errors and warnings; '' where there is none. */
  readonly said: string;
  readonly series: readonly Readonly<Record<string, string>>[];
}

/** As Grafana asks: at the end of the time shown, or over it. */
async function asked({ address }: Prometheus, expr: string, instant: boolean): Promise<Answer> {
  const now = Date.now() / 1000;
  const time = instant ? { time: String(now) } : { start: String(now - 60), end: String(now), step: '1' };
  const response = await fetch(`http://${address}/api/v1/query${instant ? '' : '_range'}`, {
    method: 'POST',
    body: new URLSearchParams({ query: expr, ...time }),
  });
  const { error, warnings, infos, data } = (await response.json()) as {
    readonly error?: string;
    readonly warnings?: readonly string[];
    readonly infos?: readonly string[];
    readonly data?: { readonly result: readonly { readonly metric: Record<string, string> }[] };
  };
  return {
    said: [error ?? [], warnings ?? [], infos ?? []].flat().join(),
    series: data?.result.map(({ metric }) => metric) ?? [],
  };
}

async function metBy(prometheus: Prometheus, expr: string): Promise<Answer> {
  return vi.waitFor(
    async () => {
      const answer = await asked(prometheus, expr, true);
      expect(answer.series, `${expr} ${answer.said}`).not.toEqual([]);
      return answer;
    },
    { timeout: 20_000 * SLOWNESS, interval: 200 },
  );
}

/** What a variable offers, where the ones before it are chosen: label_values() as Grafana resolves it. */
async function valuesOf({ address }: Prometheus, name: string, choices: Choices): Promise<string[]> {
  const variable = variables.find((candidate) => candidate.name === name);
  const query = typeof variable?.query === 'object' ? variable.query.query : '';
  const [, selector, label] = /^label_values\((?:(.+),\s*)?([a-zA-Z_]\w*)\)\s*$/.exec(query) ?? [];
  if (selector === undefined) throw new Error(`not label_values(): ${query}`);
  const match = new URLSearchParams({ 'match[]': filledIn(selector, variables, choices) });
  const response = await fetch(`http://${address}/api/v1/label/${label}/values?${match}`);
  const { data } = (await response.json()) as { data: string[] };
  return data;
}

/** Labels that a legend has: `{{address}}:{{port}}`. */
function placeholders(legend = ''): string[] {
  return [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
}
