import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon } from './support/program.ts';

interface Target {
  readonly health: string;
  readonly lastError: string;
}

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Debian's Prometheus with its data in a directory of the test, scraping every second. */
async function startPrometheus(target: string): Promise<string> {
  const directory = newDirectory();
  const config = join(directory, 'prometheus.yml');
  writeFileSync(
    config,
    `scrape_configs: [{job_name: x, scrape_interval: 1s, static_configs: [{targets: ["${target}"]}]}]\n`,
  );
  const address = `127.0.0.1:${await freePort()}`;
  const prometheus: ChildProcess = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=${address}`],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    prometheus.kill('SIGKILL');
    if (prometheus.exitCode === null && prometheus.signalCode === null) await once(prometheus, 'exit');
  });
  return `http://${address}/api/v1`;
}

async function ask<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  const { data } = (await answer.json()) as { data: T };
  return data;
}

describe('a real Prometheus', () => {
  itNeeding(
    missingTool('prometheus'),
    'scrapes it as OpenMetrics without an error and answers queries',
    async () => {
      const daemon = await Daemon.started(['--sample.interval=1s']);
      const api = await startPrometheus(`127.0.0.1:${daemon.port}`);
      await vi.waitFor(
        async () => {
          const { activeTargets } = await ask<{ activeTargets: Target[] }>(`${api}/targets`);
          expect(activeTargets.map(({ health, lastError }) => ({ health, lastError }))).toEqual([
            { health: 'up', lastError: '' },
          ]);
        },
        { timeout: 20_000 * SLOWNESS, interval: 100 },
      );
      const { result } = await ask<{ result: unknown[] }>(`${api}/query?query=port_exhaustion_ratio`);
      expect(result).toHaveLength(4);
    },
  );
});
