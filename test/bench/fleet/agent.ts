import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { Capture } from './kinds.ts';
import { RunningPrometheus, sumOf } from './prometheus.ts';
import { serve, targets } from './serving.ts';

export interface AgentRun {
  readonly hosts: number;
  readonly interval: number;
  readonly series: number;
  readonly samplesPerSecond: number;
  /** Of the compressed bodies that it sent. */
  readonly bytesPerSample: number;
  readonly memory: { readonly now: number; readonly peak: number };
  readonly failed: number;
}

/** A Prometheus agent that scrapes simulated hosts and writes into another Prometheus for some minutes. @param folder an empty one */
export async function runAgent(
  captures: readonly Capture[],
  { hosts, interval, minutes }: { hosts: number; interval: number; minutes: number },
  folder: string,
  signal: AbortSignal,
): Promise<AgentRun> {
  const fleet = await serve(captures, hosts);
  const file = (name: string, content: object) => {
    const path = join(folder, name);
    writeFileSync(path, stringify(content));
    return path;
  };
  const receiver = await RunningPrometheus.started(file('receiver.yml', {}), [
    `--storage.tsdb.path=${join(folder, 'received')}`,
    '--web.enable-remote-write-receiver',
  ]);
  let agent: RunningPrometheus | undefined;
  try {
    const config = file('agent.yml', {
      global: { scrape_interval: `${interval}s`, scrape_timeout: `${interval}s` },
      scrape_configs: [{ job_name: 'port-exporter', static_configs: targets(fleet.port, 0, hosts) }],
      remote_write: [{ url: `http://127.0.0.1:${receiver.port}/api/v1/write` }],
    });
    agent = await RunningPrometheus.started(config, [
      '--enable-feature=agent',
      `--storage.agent.path=${join(folder, 'agent')}`,
    ]);
    await sleep(2000 * interval, undefined, { signal });
    const before = await agent.metrics();
    const startedAt = performance.now();
    await sleep(minutes * 60_000, undefined, { signal });
    const after = await agent.metrics();
    const elapsed = (performance.now() - startedAt) / 1000;
    const grown = (metric: string) => sumOf(after, metric) - sumOf(before, metric);
    const samples = grown('prometheus_remote_storage_samples_total');
    return {
      ...{ hosts, interval, memory: agent.memory() },
      series: sumOf(after, 'prometheus_agent_active_series'),
      samplesPerSecond: samples / elapsed,
      bytesPerSample: grown('prometheus_remote_storage_bytes_total') / samples,
      failed: sumOf(after, 'prometheus_remote_storage_samples_failed_total'),
    };
  } finally {
    await agent?.end();
    await receiver.end();
    fleet.end();
  }
}
