import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, vi } from 'vitest';
import { stringify } from 'yaml';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { DEPLOY, type RuleFile, readRules } from './ruleFile.ts';

// Hours of evaluations take promtool some seconds, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const CASE = fileURLToPath(new URL('./rules/refused.yml', import.meta.url));
const missing = missingTool('jsonnet');

/** A field of the mixin, imported as another repository vendors it: by the path below its library directory. */
function field<T>(name: string): T {
  const expression = `(import 'prometheus/mixin.libsonnet').${name}`;
  return JSON.parse(
    execFileSync('jsonnet', ['--jpath', DEPLOY, '--exec', expression], { encoding: 'utf8' }),
  ) as never;
}

/** Debian's jsonnet joins the lines that YAML keeps apart in folded text. PromQL and sentences mean the same either way. */
function withoutLines<T>(rules: T): T {
  return JSON.parse(JSON.stringify(rules).replaceAll(/(?:\\n|\s)+/g, ' '));
}

describe('deploy/prometheus/mixin.libsonnet', () => {
  itNeeding(missing, 'has the groups of rules.yml whole: those with an alert, and those without', () => {
    const { groups } = readRules();
    const hasAlert = ({ rules }: RuleFile['groups'][number]) => rules.some((rule) => 'alert' in rule);
    const alerts: RuleFile = field('prometheusAlerts');
    const rules: RuleFile = field('prometheusRules');
    expect(withoutLines(alerts.groups)).toEqual(withoutLines(groups.filter(hasAlert)));
    expect(withoutLines(rules.groups)).toEqual(withoutLines(groups.filter((group) => !hasAlert(group))));
    // The shell's quotes in the commands of descriptions.
    expect(JSON.stringify(alerts)).toContain(JSON.stringify(String.raw`"'\\''"`).slice(1, -1));
  });

  itNeeding(missing, 'has the dashboard', () => {
    const dashboard = JSON.parse(readFileSync(`${DEPLOY}/grafana/port-exporter.json`, 'utf8'));
    expect(field('grafanaDashboards')).toEqual({ 'port-exporter.json': dashboard });
  });

  itNeeding(missing, 'is one of several that are added up', () => {
    const other = `{ prometheusAlerts+:: { groups+: [{ name: 'other', rules: [] }] }, grafanaDashboards+:: { 'other.json': {} } }`;
    const sum = `local all = (import 'prometheus/mixin.libsonnet') + ${other};
      [std.length(all.prometheusAlerts.groups), std.objectFields(all.grafanaDashboards)]`;
    const [groups, dashboards] = JSON.parse(
      execFileSync('jsonnet', ['--jpath', DEPLOY, '--exec', sum], { encoding: 'utf8' }),
    );
    expect(groups).toBe(field<RuleFile>('prometheusAlerts').groups.length + 1);
    expect(dashboards).toEqual(['other.json', 'port-exporter.json']);
  });

  itNeeding(missing ?? missingTool('promtool'), 'is valid for promtool, and fires as rules.yml does', () => {
    const directory = newDirectory();
    const all: RuleFile = {
      groups: [...field<RuleFile>('prometheusRules').groups, ...field<RuleFile>('prometheusAlerts').groups],
    };
    const count = all.groups.flatMap(({ rules }) => rules).length;
    writeFileSync(join(directory, 'rules.yml'), stringify(all));
    expect(promtool('check', 'rules', join(directory, 'rules.yml'))).toContain(
      `SUCCESS: ${count} rules found`,
    );
    const tests = readFileSync(CASE, 'utf8').replace('../../../deploy/prometheus/rules.yml', 'rules.yml');
    writeFileSync(join(directory, 'test.yml'), tests);
    promtool('test', 'rules', join(directory, 'test.yml'));
  });
});

function promtool(...args: readonly string[]): string {
  return execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe' });
}
