import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const PROMETHEUS_RULE = `${DEPLOY}kubernetes/prometheusrule.yaml`;

interface RuleFile {
  readonly groups?: readonly object[];
}

/** The rule files that Prometheus itself is given, by name; not their tests. */
function ruleFiles(): RuleFile[] {
  return readdirSync(`${DEPLOY}prometheus`)
    .filter((name) => /rules.*\.ya?ml$/.test(name))
    .toSorted()
    .map((name) => parse(readFileSync(`${DEPLOY}prometheus/${name}`, 'utf8')))
    .filter((file) => file?.groups !== undefined);
}

function prometheusRule(files: readonly RuleFile[]): string {
  const manifest = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'port-exporter', labels: { 'app.kubernetes.io/name': 'port-exporter' } },
    spec: { groups: files.flatMap(({ groups = [] }) => groups) },
  };
  return `# The rules of deploy/prometheus: change them there, then \`npm run golden\`.\n${stringify(manifest, { lineWidth: 0 })}`;
}

it('the PrometheusRule has the rules that Prometheus is given as files', () => {
  const expected = prometheusRule(ruleFiles());
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PROMETHEUS_RULE, expected);
  expect(readFileSync(PROMETHEUS_RULE, 'utf8')).toBe(expected);
});

it('is made of all groups of all files, whole', () => {
  const alert = {
    alert: 'A',
    expr: 'up == 0',
    for: '1m',
    keep_firing_for: '5m',
    labels: { severity: 'page' },
  };
  const files: RuleFile[] = [
    { groups: [{ name: 'one', interval: '30s', rules: [{ record: 'a:b', expr: 'up' }, alert] }] },
    { groups: [{ name: 'two', rules: [{ ...alert, expr: 'a\n  > b\n' }] }] },
  ];
  const made = parse(prometheusRule(files));
  expect(made.spec.groups).toEqual(files.flatMap(({ groups = [] }) => groups));
});
