import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Capture } from './kinds.ts';
import { RunningPrometheus, sumOf } from './prometheus.ts';
import { type QueryTime, timeFleetRow } from './queries.ts';
import { serve, targets } from './serving.ts';

const RULES = fileURLToPath(new URL('../../../deploy/prometheus/rules.yml', import.meta.url));

export interface FleetRun {
  readonly hosts: number;
  readonly interval: number;
  readonly minutes: number;
  readonly loadAverage: number;
  readonly up: number;
  readonly headSeries: number;
  readonly samplesPerSecond: number;
  readonly cores: number;
  readonly memory: { readonly now: number; readonly peak: number };
  readonly heapInUse: number;
  /** Seconds, by rule group. */
  readonly ruleSeconds: Readonly<Record<string, number>>;
  readonly missedIterations: number;
  readonly scrapeSeconds: { readonly median: number; readonly p99: number };
  /** Bytes. */
  readonly disk: {
    readonly wal: number;
    readonly chunks: number;
    readonly index: number;
    readonly samples: number;
    readonly series: number;
  };
  readonly queries: Readonly<Record<string, readonly QueryTime[]>>;
}

export interface FleetSetup {
  readonly hosts: number;
  /** Seconds between scrapes, and between evaluations of the rules. */
  readonly interval: number;
  readonly minutes: number;
  /** Dashboards whose row of the fleet is timed, by name. */
  readonly dashboards: Readonly<Record<string, string>>;
}

/** One Prometheus with the deployed rules, scraping as many simulated hosts for some minutes. @param folder an empty one */
export async function runFleet(
  captures: readonly Capture[],
  setup: FleetSetup,
  folder: string,
  signal: AbortSignal,
): Promise<FleetRun> {
  const { hosts, interval, minutes, dashboards } = setup;
  const fleet = await serve(captures, hosts);
  copyFileSync(RULES, join(folder, 'rules.yml'));
  const config = join(folder, 'prometheus.yml');
  const job = { job_name: 'port-exporter', static_configs: targets(fleet.port, 0, hosts) };
  writeFileSync(
    config,
    stringify({
      global: {
        scrape_interval: `${interval}s`,
        scrape_timeout: `${interval}s`,
        evaluation_interval: `${interval}s`,
      },
      rule_files: ['rules.yml'],
      scrape_configs: [job],
    }),
  );
  const data = join(folder, 'data');
  const prometheus = await RunningPrometheus.started(config, [
    `--storage.tsdb.path=${data}`,
    '--web.enable-admin-api',
  ]);
  try {
    // The first two rounds make the series.
    await sleep(2000 * interval, undefined, { signal });
    const before = await prometheus.metrics();
    const startedAt = performance.now();
    await sleep(minutes * 60_000 - 2000 * interval, undefined, { signal });
    const after = await prometheus.metrics();
    const elapsed = (performance.now() - startedAt) / 1000;
    const grown = (metric: string) => (sumOf(after, metric) - sumOf(before, metric)) / elapsed;
    const scraped = {
      up: await prometheus.value('sum(up)'),
      scrapeSeconds: {
        median: await prometheus.value('quantile(0.5, scrape_duration_seconds)'),
        p99: await prometheus.value('quantile(0.99, scrape_duration_seconds)'),
      },
    };
    const memory = prometheus.memory();
    const [loadAverage = Number.NaN] = loadavg();
    const queries: Record<string, QueryTime[]> = {};
    for (const [name, file] of Object.entries(dashboards)) {
      queries[name] = await timeFleetRow(prometheus, file, minutes, interval);
    }
    const { name } = (await prometheus.ask('admin/tsdb/snapshot', {}, 'POST')) as { name: string };
    return {
      ...{ hosts, interval, minutes, loadAverage, memory, queries, ...scraped },
      headSeries: sumOf(after, 'prometheus_tsdb_head_series'),
      samplesPerSecond: grown('prometheus_tsdb_head_samples_appended_total'),
      cores: grown('process_cpu_seconds_total'),
      heapInUse: sumOf(after, 'go_memstats_heap_inuse_bytes'),
      ruleSeconds: Object.fromEntries(
        after
          .filter((series) => series.name === 'prometheus_rule_group_last_duration_seconds')
          .map(({ labels, value }) => [labels['rule_group']?.split(';').at(-1) ?? '', value]),
      ),
      missedIterations: sumOf(after, 'prometheus_rule_group_iterations_missed_total'),
      disk: diskOf(join(data, 'snapshots', name), join(data, 'wal')),
    };
  } finally {
    await prometheus.end();
    fleet.end();
  }
}

/** Of a snapshot, which writes the head as a block. */
function diskOf(snapshot: string, wal: string): FleetRun['disk'] {
  const blocks = readdirSync(snapshot).map((name) => join(snapshot, name));
  const sum = (of: (block: string) => number) => blocks.reduce((total, block) => total + of(block), 0);
  const stats = (block: string) =>
    JSON.parse(readFileSync(join(block, 'meta.json'), 'utf8')).stats as Record<string, number>;
  return {
    wal: sizeOf(wal),
    chunks: sum((block) => sizeOf(join(block, 'chunks'))),
    index: sum((block) => statSync(join(block, 'index')).size),
    samples: sum((block) => stats(block)['numSamples'] ?? 0),
    series: sum((block) => stats(block)['numSeries'] ?? 0),
  };
}

/** Bytes of all files of a directory. */
function sizeOf(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .reduce((total, entry) => total + statSync(join(entry.parentPath, entry.name)).size, 0);
}
