import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { amountsOf, expectedSeries, familiesOf, SERIES, seriesOf } from '../../bench/fleet/count.ts';
import { DROPPING } from '../../bench/fleet/dropping.ts';
import { KINDS, kindOf } from '../../bench/fleet/kinds.ts';
import { fleetQueries } from '../../bench/fleet/queries.ts';
import { itNeeding, missingTool } from '../../e2e/support/needs.ts';
import { newDirectory } from '../../e2e/support/procfs.ts';
import type { Dashboard } from '../../support/grafana.ts';
import { markedTable } from '../../support/markdown.ts';
import { DEPLOY } from '../ruleFile.ts';

const PAGE = readFileSync(`${DEPLOY}/reference/fleet.md`, 'utf8');

describe('What the page on fleets says', () => {
  it('has the summands of the number of series', () => {
    const summands = markedTable(PAGE, 'formula').map(([, count]) => Number(count));
    expect(summands).toEqual(Object.values(SERIES));
  });

  it('has every series of the kinds of host that were measured', () => {
    const rows = markedTable(PAGE, 'kinds');
    expect(rows.map(([name]) => name)).toEqual(KINDS.map(({ name }) => name));
  });

  const configs = [...PAGE.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);
  itNeeding(missingTool('promtool'), 'is taken by Prometheus: every configuration', () => {
    expect(configs.length).toBeGreaterThan(2);
    for (const yaml of configs) {
      const directory = newDirectory();
      const file = join(directory, 'prometheus.yml');
      writeFileSync(file, yaml);
      writeFileSync(join(directory, 'rules.yml'), readFileSync(`${DEPLOY}/prometheus/rules.yml`));
      mkdirSync(join(directory, 'targets'));
      const agent = parse(yaml).rule_files === undefined ? ['--agent'] : [];
      execFileSync('promtool', ['check', 'config', ...agent, file], { stdio: 'pipe' });
    }
    const bad = join(newDirectory(), 'prometheus.yml');
    writeFileSync(
      bad,
      stringify({ scrape_configs: [{ job_name: 'x', metric_relabel_configs: [{ action: 'dorp' }] }] }),
    );
    expect(spawnSync('promtool', ['check', 'config', bad]).status).not.toBe(0);
  });

  it('drops what was measured, in that order', () => {
    const dropped = configs
      .flatMap((yaml) => parse(yaml).scrape_configs as { metric_relabel_configs?: { regex: string }[] }[])
      .flatMap(({ metric_relabel_configs = [] }) => metric_relabel_configs.map(({ regex }) => regex));
    expect(dropped).toEqual(DROPPING.map(({ regex }) => regex));
    expect(markedTable(PAGE, 'dropping').map(([what]) => what)).toEqual(DROPPING.map(({ what }) => what));
  });

  it('sends on all that the row of the fleet asks for', () => {
    const { remote_write } = configs
      .map((yaml) => parse(yaml))
      .find((config) => config.remote_write !== undefined);
    const kept = new RegExp(`^(?:${remote_write[0].write_relabel_configs[0].regex})$`);
    const dashboard: Dashboard = JSON.parse(readFileSync(`${DEPLOY}/grafana/port-exporter.json`, 'utf8'));
    const asked = fleetQueries(dashboard).flatMap(({ expr }) => expr.match(/[a-zA-Z_:][\w:]*(?=\{)/g) ?? []);
    expect(new Set(asked).size).toBeGreaterThan(5);
    expect(asked.filter((metric) => !kept.test(metric))).toEqual([]);
  });

  it('drops nothing that a rule needs', () => {
    const rules = readFileSync(`${DEPLOY}/prometheus/rules.yml`, 'utf8');
    const used = new Set(rules.match(/\b(?:port|process|nodejs)_\w+/g));
    for (const { regex } of DROPPING) {
      const dropped = [...used].filter((name) => new RegExp(`^(?:${regex})$`).test(name));
      expect(dropped, regex).toEqual([]);
    }
  });
});

describe('The number of series', () => {
  const line = (metric: string, labels = '') => `${metric}${labels} 1\n`;

  it('is counted by the rows of an exposition', () => {
    const text = `# TYPE a gauge\n${line('port_namespace_info', '{netns="a"}')}${line('port_listener_info', '{port="1"}')}`;
    expect(amountsOf(text)).toEqual({
      namespaces: 1,
      listeners: 1,
      destinations: 0,
      localAddresses: 0,
      owners: 0,
    });
    expect(seriesOf(text)).toBe(2);
    expect(familiesOf(text).get('port_listener_info')).toBe(1);
    const none = { namespaces: 0, listeners: 0, destinations: 0, localAddresses: 0, owners: 0 };
    expect(expectedSeries({ ...none, namespaces: 2, owners: 3 })).toBe(92 + 222 + 3);
  });

  it('has every kind in each hundred hosts, in its share', () => {
    const counts = new Map<string, number>();
    for (let host = 300; host < 400; host++) counts.set(kindOf(host), (counts.get(kindOf(host)) ?? 0) + 1);
    expect(KINDS.map(({ kind }) => counts.get(kind))).toEqual(KINDS.map(({ share }) => share));
  });
});
