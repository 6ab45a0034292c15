import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { defineSampler } from '../../src/metrics/sampler.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import { parseExposition } from '../support/exposition.ts';

async function painted(sampler: SamplingState['sampler']): Promise<Record<string, number>> {
  const register = new Registry();
  const group = defineSampler([register]);
  const state = { kind: 'failed', reason: 'gone', collectors: [] } as const;
  for (const of of [
    { usage: { cpuSeconds: 99, residentBytes: 99, descriptors: 99 }, restarts: 99 },
    sampler,
  ]) {
    group.clear();
    group.paint(of === undefined ? state : { ...state, sampler: of });
  }
  const series = parseExposition(await register.metrics());
  return Object.fromEntries(
    series.map(({ name, value }) => [name.replace('port_exporter_sampler_', ''), value]),
  );
}

it('what the process that samples takes is as it says, and stays while it is replaced', async () => {
  const usage = { cpuSeconds: 1.5, residentBytes: 50_000_000, descriptors: 20 };
  expect(await painted({ usage, restarts: 2 })).toEqual({
    cpu_seconds_total: 1.5,
    resident_memory_bytes: 50_000_000,
    open_fds: 20,
    restarts_total: 2,
  });
});

it('what it does not know is absent, never 0', async () => {
  expect(await painted({ usage: undefined, restarts: 0 })).toEqual({ restarts_total: 0 });
  expect(await painted(undefined)).toEqual({});
});
