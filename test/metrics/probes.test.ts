import { describe, expect, it } from 'vitest';
import { createExposition } from '../../src/metrics/exposition.ts';
import { NO_PROBES, type ProbesState } from '../../src/probes/openProbes.ts';
import { parseExposition } from '../support/exposition.ts';
import { PROBES } from './probeStates.ts';
import { RICH_NAMESPACE, sampled } from './snapshots.ts';

const state = sampled(RICH_NAMESPACE);

async function lines(probes: ProbesState, format: 'text' | 'openmetrics' = 'text'): Promise<string[]> {
  const exposition = createExposition({ withProcess: true, probes: () => probes });
  const text = await exposition.render(state, format);
  return text.split('\n').filter((line) => line.startsWith('port_probe_'));
}

describe('probes', () => {
  it.each(['text', 'openmetrics'] as const)('are told with what came of them, in %s', async (format) => {
    expect(await lines(PROBES, format)).toEqual([
      'port_probe_success{target="db"} 1',
      'port_probe_success{target="typo"} 0',
      'port_probe_success{target="gateway \\"ü\\""} 0',
      'port_probe_duration_seconds{target="db",phase="resolve"} 0.25',
      'port_probe_duration_seconds{target="db",phase="connect"} 0.5',
      'port_probe_duration_seconds{target="typo",phase="resolve"} 0.125',
      'port_probe_duration_seconds{target="gateway \\"ü\\"",phase="connect"} 0',
      'port_probe_error_info{target="typo",reason="name_not_found"} 1',
      'port_probe_error_info{target="gateway \\"ü\\"",reason="no_local_port"} 1',
      'port_probe_timestamp_seconds{target="db"} 1700000000.5',
      'port_probe_timestamp_seconds{target="typo"} 1700000000.5',
      'port_probe_timestamp_seconds{target="gateway \\"ü\\""} 1700000000.5',
      'port_probe_interval_seconds{target="db"} 15',
      'port_probe_interval_seconds{target="typo"} 15',
      'port_probe_interval_seconds{target="gateway \\"ü\\""} 15',
      'port_probe_targets 4',
      'port_probe_file_last_reload_successful 0',
    ]);
  });

  it('that nobody asked for are none', async () => {
    expect(await lines(NO_PROBES)).toEqual(['port_probe_targets 0']);
  });

  it('change between two samples, and the sample stays as it is', async () => {
    let probes = PROBES;
    const exposition = createExposition({ withProcess: false, probes: () => probes });
    const before = parseExposition(await exposition.render(state, 'text'));
    probes = { ...PROBES, results: { ...PROBES.results, probed: PROBES.results.probed.slice(0, 1) } };
    const after = parseExposition(await exposition.render(state, 'text'));
    const isOfProbes = ({ name }: { name: string }) => name.startsWith('port_probe_');
    expect(after.filter((one) => !isOfProbes(one))).toEqual(before.filter((one) => !isOfProbes(one)));
    expect(new Set(after.flatMap(({ labels }) => labels['target'] ?? []))).toEqual(new Set(['db']));
  });

  it('stand before the one end of OpenMetrics', async () => {
    for (const withProcess of [true, false]) {
      const exposition = createExposition({ withProcess, probes: () => PROBES });
      const text = await exposition.render(state, 'openmetrics');
      expect(text.match(/# EOF/g)).toHaveLength(1);
      expect(text).toMatch(/\n# EOF\n$/);
    }
  });
});
