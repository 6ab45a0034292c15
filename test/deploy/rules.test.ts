import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../src/cli/commandLine.ts';
import { OPTION_FLAGS } from '../../src/cli/options.ts';
import { QUERY_FLAGS } from '../../src/cli/queryOptions.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { exposedMetrics } from '../support/exposed.ts';
import { markedTable } from '../support/markdown.ts';
import { parsePromql } from '../support/promql.ts';
import { alertsOf, DEPLOY, readRules, recordingsOf } from './ruleFile.ts';

// Hours of evaluations take promtool some seconds, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const RULES = readRules();
const ALERTS = alertsOf(RULES);
const { homepage } = JSON.parse(readFileSync(`${DEPLOY}/../package.json`, 'utf8')) as { homepage: string };
const RUNBOOKS = readFileSync(`${DEPLOY}/runbooks.md`, 'utf8');
const CASES = fileURLToPath(new URL('./rules/', import.meta.url));
const FILES = readdirSync(CASES);
/** Where calls fail already, or packets of new connections were dropped. */
const FIRES_AT_ONCE = ['PortRefused', 'PortExhausted', 'PortSnatDropped', 'PortConntrackTableFull'];
const needsPromtool = missingTool('promtool');

describe('The rules, for promtool', () => {
  itNeeding(needsPromtool, 'are valid', () => {
    expect(promtool('check', 'rules', `${DEPLOY}/prometheus/rules.yml`)).toMatch(/SUCCESS: \d+ rules found/);
  });

  itNeeding(needsPromtool, 'are not, with one mistake', () => {
    expect(() => promtool('check', 'rules', `${DEPLOY}/prometheus/prometheus.yml`)).toThrow('not found');
  });

  for (const file of FILES) {
    itNeeding(needsPromtool, `fire when they should and only then: ${file}`, () => {
      promtool('test', 'rules', `${CASES}${file}`);
    });
  }
});

describe('Every alert', () => {
  it('has a case in which it fires, with all of its text, and one in which it does not', () => {
    const cases = FILES.flatMap((file): AlertCase[] =>
      parse(readFileSync(`${CASES}${file}`, 'utf8')).tests.flatMap(
        (group: { alert_rule_test?: AlertCase[] }) => group.alert_rule_test ?? [],
      ),
    );
    const names = (fires: boolean) =>
      new Set(
        cases.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname),
      );
    const all = ALERTS.map(({ alert }) => alert).toSorted();
    expect([...names(true)].toSorted()).toEqual(all);
    expect([...names(false)].toSorted()).toEqual(all);
  });

  it.each(ALERTS)('says how severe, what, where, since when, and what to do: $alert', (alert) => {
    const { summary, description, runbook_url } = alert.annotations;
    expect(alert.labels).toEqual({ severity: expect.stringMatching(/^(critical|warning|info)$/) });
    // Where calls fail already there is nothing to wait for.
    if (FIRES_AT_ONCE.includes(alert.alert)) expect(alert.for).toBeUndefined();
    else expect(alert.for).toMatch(/^\d+[mh]$/);
    expect(summary).toContain('{{ $labels.instance }}');
    expect(description).toContain('{{ $labels.instance }}');
    expect(description).toContain(`ALERTS_FOR_STATE{alertname="${alert.alert}",`);
    expect(runbook_url).toBe(`${homepage}/blob/main/deploy/runbooks.md#${alert.alert.toLowerCase()}`);
  });

  it('has a section in the runbooks, and every section an alert', () => {
    const sections = [...RUNBOOKS.matchAll(/^## (.*)$/gm)].map(([, name]) => name);
    expect(sections.toSorted()).toEqual(ALERTS.map(({ alert }) => alert).toSorted());
  });

  it('is a row of its README, with its severity', () => {
    const readme = readFileSync(`${DEPLOY}/prometheus/README.md`, 'utf8');
    const rows = markedTable(readme, 'alerts').map(([name, , severity]) => [name, severity]);
    expect(rows).toEqual(ALERTS.map(({ alert, labels }) => [alert, labels['severity']]));
  });
});

describe('What rules and runbooks name', () => {
  /** Labels by metric, of what is exposed and what is recorded. */
  let known: ReadonlyMap<string, readonly string[]>;
  beforeAll(async () => {
    const metrics = new Map([...(await exposedMetrics()), ...NOT_PRINTED]);
    for (const { record, expr } of recordingsOf(RULES)) metrics.set(record, labelsOf(expr, metrics));
    known = metrics;
  });

  it.each([...recordingsOf(RULES), ...ALERTS])('exists in real output: $record$alert', ({ expr }) => {
    expect(labelsOf(expr, known)).toContain('instance');
  });

  it.each(ALERTS)('exists in real output, in what is said: $alert', ({ expr, annotations }) => {
    const said = Object.values(annotations).join('\n');
    const queries = [...said.matchAll(/printf `([^`]*)`/g)].map(([, query = '']) =>
      query.replaceAll(/%(\[\d\])?q/g, '"x"'),
    );
    expect(queries.length).toBeGreaterThan(0);
    for (const query of queries) labelsOf(query, known);
    const used = [...said.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    expect(labelsOf(expr, known)).toEqual(expect.arrayContaining(used));
  });

  it('exists in real output, and on the command line: the runbooks', async () => {
    const metrics = [...RUNBOOKS.matchAll(/\bport_\w+/g)].map(String);
    expect(metrics.length).toBeGreaterThan(10);
    for (const metric of metrics) expect([...known.keys()]).toContain(metric);
    const queries = [...RUNBOOKS.matchAll(/`(port_\w+\{.*?)`/g)].map(([, query = '']) => query);
    expect(queries.length).toBeGreaterThan(0);
    for (const query of queries) labelsOf(query, known);
    const flags = [...RUNBOOKS.matchAll(/`(--[a-z.-]+)/g)].map(([, flag = '']) => flag.slice(2));
    expect(flags.length).toBeGreaterThan(0);
    for (const flag of flags) expect(Object.keys({ ...OPTION_FLAGS, ...QUERY_FLAGS })).toContain(flag);
  });

  it('is taken by the command line: every command of the runbooks', async () => {
    const blocks = [...RUNBOOKS.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
    const commands = blocks.flatMap((block) => [
      ...block.matchAll(/^(?:sudo )?(?:nsenter .* )?port-exporter((?: [^\s#|]+)*) *(?:[#|]|$)/gm),
    ]);
    expect(commands.length).toBeGreaterThan(ALERTS.length / 2);
    for (const [line, words = ''] of commands) {
      const { kind } = await parseCommandLine(words.trim().split(' ').filter(Boolean), {});
      expect(['query', 'report', 'run', 'once', 'watch'], line).toContain(kind);
    }
  });
});

interface AlertCase {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

/** Labels that Prometheus gives to every series of a target. */
const TARGET = ['job', 'instance'];

/** Series that --once does not print: those that Prometheus makes itself, with the labels that rules may ask for. */
const NOT_PRINTED = new Map([
  ['up', []],
  // of the daemon's process
  ['process_start_time_seconds', []],
  [
    'ALERTS_FOR_STATE',
    [
      ...['alertname', 'netns', 'protocol', 'scope', 'family', 'address', 'port'],
      ...['target', 'collector', 'metric'],
    ],
  ],
]);

/** Labels of all metrics that an expression names. Throws where one is not known, or is matched by a label it has not. */
function labelsOf(expr: string, known: ReadonlyMap<string, readonly string[]>): string[] {
  const { selectors, grouping } = parsePromql(expr);
  const all = new Set(TARGET);
  for (const { metric, labels } of selectors) {
    const own = known.get(metric);
    if (own === undefined) throw new Error(`nothing exposes ${metric}: ${expr}`);
    const strange = labels.filter((label) => ![...own, ...TARGET].includes(label));
    if (strange.length > 0) throw new Error(`${metric} has no label ${strange}: ${expr}`);
    for (const label of own) all.add(label);
  }
  const strange = grouping.filter((label) => !all.has(label));
  if (strange.length > 0) throw new Error(`no metric has a label ${strange}: ${expr}`);
  return [...all];
}

/** → what it printed. Throws what it complained of. */
function promtool(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout + stderr);
  return stdout;
}
