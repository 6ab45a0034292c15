import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dashboardJson, portExporterDashboard } from '../../deploy/grafana/dashboard.ts';
import {
  CONNTRACK_NEAR_LIMIT,
  EXHAUSTED_WITHIN,
  IMMINENT,
  NEAR,
  QUEUE_NEAR_LIMIT,
  SLOW,
  SNAT_REFUSING,
  SNAT_RUNNING_OUT,
} from '../../deploy/grafana/levels.ts';
import { dashboardLinks } from '../../deploy/grafana/links.ts';
import { Daemon } from '../e2e/support/program.ts';
import {
  columnsOf,
  type Dashboard,
  filledIn,
  type Panel,
  panelsOf,
  type Target,
  type Thresholds,
  withRows,
} from '../support/grafana.ts';
import { markedTable } from '../support/markdown.ts';
import { parsePromql } from '../support/promql.ts';
import { readRules, recordingsOf } from './ruleFile.ts';

const RULES = new URL('../../deploy/prometheus/rules.yml', import.meta.url);
const FILE = new URL('../../deploy/grafana/port-exporter.json', import.meta.url);
const dashboard: Dashboard = JSON.parse(readFileSync(FILE, 'utf8'));
const panels = panelsOf(dashboard);
const variables = dashboard.templating.list;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** Of Prometheus itself, and what its rules record. */
const NOT_THE_EXPORTERS = new Set(['up', 'ALERTS', ...recordingsOf(readRules()).map(({ record }) => record)]);
/** Labels whose values come and go without bound. */
const OPEN_ENDED = [
  ...['instance', 'netns', 'local_address', 'remote_address', 'nat_address', 'client_address'],
  ...['address', 'owner', 'target'],
];

describe('The Grafana dashboard', () => {
  it('is what npm run dashboard generates, every time', () => {
    expect(readFileSync(FILE, 'utf8')).toBe(dashboardJson());
    expect(dashboardJson()).toBe(dashboardJson());
    expect(JSON.parse(JSON.stringify(portExporterDashboard()))).toEqual(dashboard);
  });

  it('has ids and titles that name one panel each', () => {
    const ids = withRows(dashboard).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => id > 0)).toBe(true);
    const titles = rowsOf(dashboard).flatMap(({ row, panels }) =>
      panels.map(({ title }) => `${row}: ${title}`),
    );
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('has the rows that its README lists', () => {
    const readme = readFileSync(new URL('../../deploy/grafana/README.md', import.meta.url), 'utf8');
    const listed = markedTable(readme, 'rows').map(([row = '']) => row.toLowerCase());
    const titles = rowsOf(dashboard).map(({ row }) => row.replace('$instance: ', '').toLowerCase());
    expect(titles.map((title, at) => title.slice(0, listed[at]?.length))).toEqual(listed);
  });

  it('opens with the worst of the fleet and what fails next; the rows below ask nothing until they are opened', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row');
    const open = rows.filter(({ collapsed }) => collapsed !== true);
    const collapsed = rows.filter((row) => row.collapsed === true);
    expect(rows).toEqual([...open, ...collapsed]);
    expect(open.map(({ title }) => title.replace('$instance: ', ''))).toEqual([
      'Fleet: the worst first',
      'refused calls',
      'which call fails next',
      'fullest destinations of TCP connect()',
    ]);
    for (const row of open) expect(row.panels ?? []).toEqual([]);
    for (const { title, panels } of collapsed) expect(panels?.length, title).toBeGreaterThan(0);
    expect(dashboard.panels.slice(dashboard.panels.indexOf(collapsed[0] as Panel))).toEqual(collapsed);
  });

  it('fills lines of 24 columns, and no panel lies on another', () => {
    const cells = new Map<string, string>();
    const all = withRows(dashboard);
    for (const { title, gridPos } of all) {
      const { x, y, w, h } = gridPos;
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          const cell = `${column},${line}`;
          expect(cells.get(cell), `${title} at ${cell}`).toBeUndefined();
          cells.set(cell, title);
        }
      }
    }
    const height = Math.max(...all.map(({ gridPos: { y, h } }) => y + h));
    expect(cells.size).toBe(24 * height);
  });

  it.each(panels)('$title: has a description, a unit, and asks the chosen data source', (panel) => {
    expect(panel.description).toMatch(/^.{20,}\.$/s);
    expect(panel.fieldConfig?.defaults.unit).toMatch(/./);
    expect(panel.datasource).toEqual(DATASOURCE);
    const targets = panel.targets ?? [];
    expect(targets.length).toBeGreaterThan(0);
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    for (const { datasource } of targets) expect(datasource).toEqual(DATASOURCE);
  });

  it('asks for variables that it has, one out of what the others leave', () => {
    expect(variables.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['instance', 'query'],
      ['netns', 'query'],
    ]);
    for (const { type, datasource } of variables) {
      if (type === 'query') expect(datasource).toEqual(DATASOURCE);
    }
    expect(variables.find(({ name }) => name === 'netns')).toMatchObject({ multi: true, includeAll: true });
  });

  it('colours ratios and queues at the levels of the alerts', () => {
    const levelsOf = (thresholds: Thresholds | undefined) => thresholds?.steps.map(({ value }) => value);
    const byTitle = new Map(panels.map((panel) => [panel.title, panel]));
    for (const title of [
      'Worst ratio',
      'Worst ratio over time',
      'Peak ratio of the last minute',
      'Exhaustion ratio',
      'Ratio of the fullest destinations',
    ]) {
      expect(levelsOf(byTitle.get(title)?.fieldConfig?.defaults.thresholds), title).toEqual([
        null,
        SLOW,
        NEAR,
        IMMINENT,
      ]);
    }
    expect(levelsOf(byTitle.get('Accept queue / limit')?.fieldConfig?.defaults.thresholds)).toEqual([
      null,
      QUEUE_NEAR_LIMIT,
      1,
    ]);
    for (const [title, ...levels] of [
      ['New packets that find no SNAT port', SNAT_REFUSING],
      ['SNAT ports used', SNAT_RUNNING_OUT],
      ['Conntrack table', CONNTRACK_NEAR_LIMIT, 1],
    ] as const) {
      expect(levelsOf(byTitle.get(title)?.fieldConfig?.defaults.thresholds), title).toEqual([
        null,
        ...levels,
      ]);
    }
    const columns = panels.flatMap(columnThresholds);
    expect(columns.map(({ column }) => column)).toEqual([
      'Worst connect()',
      'Ratio',
      'Used',
      'Ratio',
      'Queue / limit',
      'Worst ratio',
    ]);
    const ofColumn: Readonly<Record<string, readonly number[]>> = {
      'Queue / limit': [QUEUE_NEAR_LIMIT, 1],
      Used: [SNAT_RUNNING_OUT],
    };
    for (const { column, levels } of columns) {
      expect(levels).toEqual([null, ...(ofColumn[column] ?? [SLOW, NEAR, IMMINENT])]);
    }
  });

  it.skipIf(!existsSync(RULES))('has the levels that the alerts have', () => {
    const rules = readFileSync(RULES, 'utf8');
    const levels = (pattern: RegExp) => [...rules.matchAll(pattern)].map(([, level]) => Number(level));
    const ofRatios = levels(/exhaustion_\w*ratio.*> ([\d.]+)/g);
    expect(ofRatios).toEqual(expect.arrayContaining([SLOW, NEAR, IMMINENT]));
    expect(levels(/accept_queue:ratio > ([\d.]+)/g)).toEqual([QUEUE_NEAR_LIMIT]);
    expect(levels(/seconds_left < (\d+)/g)).toEqual([EXHAUSTED_WITHIN]);
    expect(levels(/snat_refusal_ratio\[1m\]\) > ([\d.]+)/g)).toEqual([SNAT_REFUSING]);
    expect(levels(/expr: port_snat_peak_ratio > ([\d.]+)/g)).toEqual([SNAT_RUNNING_OUT]);
    expect(levels(/conntrack_entries:ratio > ([\d.]+)/g)).toEqual([CONNTRACK_NEAR_LIMIT]);
  });

  it('links to the exporter, and to documents once it is known where they can be read', () => {
    const urls = (homepage?: string) => dashboardLinks(homepage).map((link) => link.build().url);
    const exporter = ['http://${instance}/', 'https://${instance}/'];
    expect(urls()).toEqual(exporter);
    expect(urls('https://example.org/x')).toEqual([
      ...exporter,
      'https://example.org/x/blob/main/deploy/reference/metrics.md',
      'https://example.org/x/blob/main/deploy/runbooks.md',
    ]);
  });

  it('shows a bounded number of lines, whatever there is of a label without bound', () => {
    for (const { panel, target } of targetsOf(['timeseries', 'bargauge'])) {
      const legend = target.legendFormat ?? '';
      if (!OPEN_ENDED.some((label) => legend.includes(`{{${label}}}`))) continue;
      expect(target.expr, panel.title).toMatch(/topk\(\d+, /);
    }
  });

  it('takes rates over $__rate_interval', () => {
    const windows = panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) =>
        [...expr.matchAll(/rate\([^[]*\[([^\]]*)\]/g)].map(([, window]) => window),
      ),
    );
    expect(new Set(windows)).toEqual(new Set(['$__rate_interval']));
  });

  it('shows labels in tables as text, and not in the unit of the panel', () => {
    for (const { panel } of targetsOf(['table'])) {
      for (const [source, column] of Object.entries(columnsOf(panel))) {
        if (source.startsWith('Value')) continue;
        const unit = propertiesOf(panel, column)['unit'];
        expect({ panel: panel.title, column, unit }).toEqual({ panel: panel.title, column, unit: 'string' });
      }
    }
  });

  it('overrides only columns and lines that there are', () => {
    for (const panel of panels) {
      const names = new Set(Object.values(columnsOf(panel)));
      for (const { matcher } of panel.fieldConfig?.overrides ?? []) {
        if (matcher.id === 'byName') expect(names, panel.title).toContain(matcher.options);
      }
    }
  });

  it('names only metrics that the exporter has, or that the rules record', async () => {
    const daemon = await Daemon.started([]);
    const { text } = await daemon.get('/metrics');
    await daemon.end();
    const known = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    const used = everyExpression().flatMap((expr) => parsePromql(expr).selectors.map(({ metric }) => metric));
    expect(used.length).toBeGreaterThan(100);
    expect([...new Set(used)].filter((name) => !known.has(name) && !NOT_THE_EXPORTERS.has(name))).toEqual([]);
  });
});

/** Of panels, annotations and variables, filled in. */
function everyExpression(): string[] {
  const choices = { job: 'port-exporter', instance: 'localhost:10069', netns: 'All' };
  const asked = variables.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query]));
  const selected = asked.map((query) => /^label_values\((.+), \w+\)$/.exec(query)?.[1] ?? query);
  const annotations = dashboard.annotations.list.map(({ target }) => target.expr);
  const shown = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  return [...selected, ...annotations, ...shown].map((expr) => filledIn(expr, variables, choices));
}

function targetsOf(types: readonly string[]): { panel: Panel; target: Target }[] {
  const found = panels
    .filter(({ type }) => types.includes(type))
    .flatMap((panel) => (panel.targets ?? []).map((target) => ({ panel, target })));
  expect(found.length).toBeGreaterThan(5);
  return found;
}

/** Headings, with what is below each. */
function rowsOf(dashboard: Dashboard): { row: string; panels: Panel[] }[] {
  const rows: { row: string; panels: Panel[] }[] = [];
  for (const panel of withRows(dashboard)) {
    if (panel.type === 'row') rows.push({ row: panel.title, panels: [] });
    else rows.at(-1)?.panels.push(panel);
  }
  return rows;
}

function propertiesOf({ fieldConfig }: Panel, column: string): Record<string, unknown> {
  const overrides = fieldConfig?.overrides.filter(({ matcher }) => matcher.options === column) ?? [];
  return Object.fromEntries(
    overrides.flatMap(({ properties }) => properties.map(({ id, value }) => [id, value])),
  );
}

/** Columns shown as bars in the colour of their level. */
function columnThresholds(panel: Panel): { column: string; levels: (number | null)[] }[] {
  return Object.values(columnsOf(panel)).flatMap((column) => {
    const { thresholds, max } = propertiesOf(panel, column) as { thresholds?: Thresholds; max?: number };
    return thresholds === undefined || max === undefined
      ? []
      : [{ column, levels: thresholds.steps.map(({ value }) => value) }];
  });
}
