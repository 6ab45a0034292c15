import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { alertsOf, DEPLOY, readRules } from './ruleFile.ts';

const STATIC = `${DEPLOY}/prometheus/prometheus.yml`;
const KUBERNETES = `${DEPLOY}/prometheus/prometheus-kubernetes.yml`;
const ALERTMANAGER = `${DEPLOY}/prometheus/alertmanager.yml`;

describe('The configuration of Prometheus', () => {
  itNeeding(missingTool('promtool'), 'is valid, and finds the rules beside it', () => {
    expect(check('promtool', 'check', 'config', STATIC)).toContain('1 rule files found');
  });

  itNeeding(missingTool('promtool'), 'is valid for Kubernetes', () => {
    // Debian builds Prometheus without the discovery of Kubernetes.
    const text = readFileSync(KUBERNETES, 'utf8')
      .replaceAll(/kubernetes_sd_configs:\n +- role: pod/g, 'static_configs: []')
      .replace('rules.yml', `${DEPLOY}/prometheus/rules.yml`);
    expect(text).not.toContain('role:');
    const file = join(newDirectory(), 'prometheus.yml');
    writeFileSync(file, text);
    expect(check('promtool', 'check', 'config', file)).toContain('1 rule files found');
  });

  it('calls the job as the rules know it, static and in Kubernetes', () => {
    for (const file of [STATIC, KUBERNETES]) {
      const { scrape_configs } = parse(readFileSync(file, 'utf8'));
      expect(scrape_configs.map(({ job_name }: { job_name: string }) => job_name)).toEqual(['port-exporter']);
    }
  });
});

describe('The configuration of Alertmanager', () => {
  const config = parse(readFileSync(ALERTMANAGER, 'utf8'));

  itNeeding(missingTool('amtool'), 'is valid', () => {
    expect(check('amtool', 'check-config', ALERTMANAGER)).toContain('SUCCESS');
  });

  itNeeding(
    missingTool('amtool'),
    'wakes somebody for what is critical alone, and sends nothing for info',
    () => {
      for (const [severity, receiver] of [
        ['critical', 'on-call'],
        ['warning', 'team'],
        ['info', 'nobody'],
      ]) {
        const routed = check(
          'amtool',
          'config',
          'routes',
          'test',
          `--config.file=${ALERTMANAGER}`,
          `severity=${severity}`,
        );
        expect(routed.trim()).toBe(receiver);
      }
    },
  );

  it('inhibits alerts that there are', () => {
    const names = alertsOf(readRules()).map(({ alert }) => alert);
    const matchers: string[] = config.inhibit_rules.flatMap(
      (rule: Record<'source_matchers' | 'target_matchers', string[]>) => [
        ...rule.source_matchers,
        ...rule.target_matchers,
      ],
    );
    expect(matchers.length).toBeGreaterThan(0);
    for (const matcher of matchers) {
      if (/^(?:netns|protocol|scope)="\w+"$/.test(matcher)) continue;
      const [, pattern = ''] = /^alertname=~?"(.*)"$/.exec(matcher) ?? [];
      for (const name of pattern.split('|')) {
        expect(
          names.filter((one) => new RegExp(`^(?:${name})$`).test(one)),
          matcher,
        ).not.toEqual([]);
      }
    }
  });
});

/** → what it printed. Throws what it complained of. */
function check(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout + stderr);
  return stdout;
}
