import { describe, expect, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { Daemon } from './support/program.ts';
import { Prometheus } from './support/prometheus.ts';

interface Target {
  readonly health: string;
  readonly lastError: string;
}

describe('a real Prometheus', () => {
  itNeeding(
    missingTool('prometheus'),
    'scrapes it as OpenMetrics without an error and answers queries',
    async () => {
      const daemon = await Daemon.started(['--sample.interval=1s']);
      const prometheus = await Prometheus.started(
        `scrape_configs: [{job_name: x, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:${daemon.port}"]}]}]\n`,
      );
      await vi.waitFor(
        async () => {
          const { activeTargets } = await prometheus.ask<{ activeTargets: Target[] }>('targets');
          expect(activeTargets.map(({ health, lastError }) => ({ health, lastError }))).toEqual([
            { health: 'up', lastError: '' },
          ]);
        },
        { timeout: 20_000 * SLOWNESS, interval: 100 },
      );
      const { result } = await prometheus.ask<{ result: unknown[] }>('query?query=port_exhaustion_ratio');
      expect(result).toHaveLength(4);
    },
  );
});
