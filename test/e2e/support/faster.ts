import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { DEPLOY } from '../../deploy/ruleFile.ts';
import { SLOWNESS } from '../../live/support/kernel.ts';
import { newDirectory } from './procfs.ts';

/** Instead of five minutes. */
export const RECENT_SECONDS = 5;

/** Of what comes with the next scrapes and evaluations. */
export function until(assertion: () => unknown): Promise<unknown> {
  return vi.waitFor(assertion, { timeout: 60_000 * SLOWNESS, interval: 200 });
}

/** A file of deploy/prometheus. */
export function deployed(file: string): string {
  return readFileSync(`${DEPLOY}/prometheus/${file}`, 'utf8');
}

/** What is deployed, scraping and evaluating every second or so, with the deployed rules but for what they wait for. */
export function fasterScrapes(
  exporterPort: number,
  alertmanagers: readonly string[] = [],
  intervalSeconds = 1,
): string {
  const rules = join(newDirectory(), 'rules.yml');
  writeFileSync(
    rules,
    deployed('rules.yml')
      .replaceAll(/^( +for:) .*$/gm, '$1 2s')
      .replaceAll(/^( +keep_firing_for:) .*$/gm, '$1 2s')
      .replaceAll('[1m]', '[2s]')
      // How long a refused call is recent.
      .replaceAll('[5m]', `[${RECENT_SECONDS}s]`)
      .replaceAll('offset 5m', `offset ${RECENT_SECONDS}s`)
      .replaceAll('< 300)', `< ${RECENT_SECONDS})`)
      .replaceAll(/^ +interval: .*$/gm, ''),
  );
  const config = parse(deployed('prometheus.yml'));
  const [scrape] = config.scrape_configs;
  return stringify({
    global: {
      ...config.global,
      scrape_interval: `${intervalSeconds}s`,
      evaluation_interval: `${intervalSeconds}s`,
    },
    rule_files: [rules],
    alerting: { alertmanagers: [{ static_configs: [{ targets: alertmanagers }] }] },
    scrape_configs: [{ ...scrape, static_configs: [{ targets: [`127.0.0.1:${exporterPort}`] }] }],
  });
}

/** What is deployed, without its waits, and with the test as every receiver. */
export function fasterRoutes(url: string): string {
  return deployed('alertmanager.yml')
    .replaceAll(/^( +group_(?:wait|interval):) .*$/gm, '$1 1s')
    .replaceAll(/http:\/\/localhost:\d+/g, url);
}
