import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { KERNEL_SHOWS_BOUND_ONLY } from '../live/support/kernel.ts';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { type Ended, run } from './support/program.ts';

/** Every metric without an open-ended label, and its series in one namespace. */
const SERIES: Readonly<Record<string, number>> = {
  port_ephemeral_range_first_port: 1,
  port_ephemeral_range_last_port: 1,
  port_ephemeral_reserved_ports: 1,
  port_ephemeral_ports: 1,
  port_ephemeral_blocked_ports: KERNEL_SHOWS_BOUND_ONLY ? 4 : 3,
  port_ephemeral_uncertain_ports: 1,
  port_ephemeral_used_ports: 2,
  port_exhaustion_ratio: 4,
  port_exhaustion_available_ports: 4,
  port_exhaustion_peak_ratio: 4,
  port_connect_capacity_ports: 2,
  port_canary_success: 4,
  port_canary_duration_seconds: 4,
  port_canary_disagreements_total: 4,
  port_destinations: 1,
  port_local_addresses: 2,
  // Ten or eleven states of TCP and two of UDP, in both families.
  port_sockets: KERNEL_SHOWS_BOUND_ONLY ? 26 : 24,
  port_connections: 18,
  port_exporter_build_info: 1,
  port_listeners: 4,
  port_owners: 2,
  port_namespace_info: 1,
  port_namespaces: 1,
  port_exporter_sample_detail: 1,
  port_exporter_sample_age_seconds: 1,
  port_exporter_sample_success: 8,
  port_exporter_sample_duration_seconds: 8,
  port_exporter_sample_timestamp_seconds: 1,
  port_exporter_sample_interval_seconds: 1,
  port_exporter_sample_interval_configured_seconds: 1,
  port_exporter_sampled_sockets: 1,
  port_exporter_source_info: 1,
  port_exporter_omitted_series: 15,
  port_exporter_log_lines_dropped_total: 1,
  port_probe_targets: 1,
};

/** listener, bound and bucket; every state of TCP. */
const OVER_BPF = { port_ephemeral_blocked_ports: 3, port_sockets: 26 };

function expectWhole({ code, stdout, stderr }: Ended, source: 'bpf' | 'netlink'): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const all = parseExposition(stdout);
  const counts = Object.keys(SERIES).map((name) => [name, all.filter((one) => one.name === name).length]);
  expect(Object.fromEntries(counts)).toEqual(source === 'bpf' ? { ...SERIES, ...OVER_BPF } : SERIES);
  // Not every machine tracks connections.
  const openEnded = /^port_(destination|local_address|listener|owner|conntrack|snat)_/;
  expect(all.filter(({ name }) => !(name in SERIES) && !openEnded.test(name))).toEqual([]);
  const ofNames = (name: string) => all.filter((one) => one.name === name);
  expect(ofNames('port_exporter_sample_success').map(({ value }) => value)).toEqual(Array(8).fill(1));
  expect(ofNames('port_exporter_source_info').map(({ labels }) => labels['source'])).toEqual([source]);
  expect(all.every(({ value }) => Number.isFinite(value))).toBe(true);
}

it('--once prints every metric that is known in advance, and none of its process', async () => {
  expectWhole(await run(['--once']), 'bpf');
});

itNeeding(missingNobody, '--once does the same for a user without any privilege', async () => {
  expectWhole(await run(['--once'], { uid: NOBODY }), 'netlink');
});

itNeeding(missingTool('promtool'), 'promtool check metrics has nothing to say', async () => {
  const { stdout } = await run(['--once']);
  const child = execFile('promtool', ['check', 'metrics']);
  let said = '';
  for (const output of [child.stdout, child.stderr]) output?.on('data', (piece) => (said += piece));
  child.stdin?.end(stdout);
  const [code] = await once(child, 'close');
  expect({ code, said }).toEqual({ code: 0, said: '' });
});

it('--log.level=debug shows on stderr what is read, and stdout stays an exposition', async () => {
  const { stdout, stderr } = await run(['--once', '--log.level=debug']);
  expect(stderr).toMatch(/msg="reading socket tables" source=\w+/);
  expect(parseExposition(stdout).length).toBeGreaterThan(50);
});
