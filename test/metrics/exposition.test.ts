import { afterEach, describe, expect, it, vi } from 'vitest';
import { createExposition } from '../../src/metrics/exposition.ts';
import { COLLECTORS } from '../../src/sampling/collectors/list.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { EMPTY_NAMESPACE, failing, RICH_NAMESPACE, sampled, withResults } from './snapshots.ts';

const rich = sampled(RICH_NAMESPACE);
const failed: SamplingState = {
  kind: 'failed',
  reason: 'the sampler died',
  collectors: [
    { netns: 'host', collector: 'range' },
    { netns: 'host', collector: 'tcp' },
    { netns: 'host', collector: 'udp' },
    { netns: 'host', collector: 'owners' },
  ],
};

describe('a whole sample', () => {
  it('is told by every metric of the contract', async () => {
    expect(new Set((await series(rich)).map(({ name }) => name))).toEqual(
      new Set([
        ...[
          'port_ephemeral_range_first_port',
          'port_ephemeral_range_last_port',
          'port_ephemeral_reserved_ports',
        ],
        ...['port_ephemeral_ports', 'port_ephemeral_blocked_ports', 'port_ephemeral_used_ports'],
        'port_ephemeral_uncertain_ports',
        ...['port_exhaustion_ratio', 'port_exhaustion_available_ports', 'port_exhaustion_peak_ratio'],
        ...[
          'port_canary_success',
          'port_canary_duration_seconds',
          'port_canary_error_info',
          'port_canary_disagreements_total',
          'port_connect_capacity_ports',
          'port_destination_used_ports',
          'port_destination_reclaimable_ports',
        ],
        ...['port_destination_available_ports', 'port_destination_exhaustion_ratio', 'port_destinations'],
        ...['port_local_address_used_ports', 'port_local_address_available_ports'],
        ...[
          'port_local_address_exhaustion_ratio',
          'port_local_addresses',
          'port_sockets',
          'port_connections',
        ],
        ...['port_listeners', 'port_listener_info', 'port_listener_accept_queue'],
        ...['port_listener_accept_queue_limit', 'port_listener_dropped_total', 'port_listener_connections'],
        ...['used_ports', 'available_ports', 'refusal_ratio', 'client_ports'].map(
          (name) => `port_snat_destination_${name}`,
        ),
        ...[
          'port_snat_exhaustion_ratio',
          'port_snat_available_ports',
          'port_snat_refusal_ratio',
          'port_snat_peak_ratio',
          'port_snat_range_ports',
          'port_snat_destinations',
        ],
        ...['port_conntrack_entries', 'port_conntrack_entries_limit', 'port_conntrack_insert_failed_total'],
        ...[
          'port_conntrack_dropped_total',
          'port_conntrack_early_dropped_total',
          'port_conntrack_found_total',
        ],
        ...['port_namespace_info', 'port_namespaces', 'port_probe_targets'],
        ...['port_exporter_sample_detail', 'port_exporter_sample_age_seconds'],
        ...['port_listener_in_ephemeral_range', 'port_owner_ephemeral_ports', 'port_owners'],
        ...[
          'port_exporter_build_info',
          'port_exporter_sample_success',
          'port_exporter_sample_duration_seconds',
        ],
        ...['port_exporter_sample_timestamp_seconds', 'port_exporter_sample_interval_seconds'],
        'port_exporter_sample_interval_configured_seconds',
        'port_exporter_log_lines_dropped_total',
        ...['port_exporter_sampled_sockets', 'port_exporter_source_info', 'port_exporter_omitted_series'],
      ]),
    );
  });

  it.each([
    ['port_ephemeral_range_first_port{netns="host"} 40000'],
    ['port_ephemeral_range_last_port{netns="host"} 40099'],
    ['port_ephemeral_reserved_ports{netns="host"} 5'],
    ['port_ephemeral_ports{netns="host"} 95'],
    ['port_ephemeral_blocked_ports{netns="host",evidence="listener"} 1'],
    ['port_ephemeral_blocked_ports{netns="host",evidence="bound"} 1'],
    ['port_ephemeral_blocked_ports{netns="host",evidence="inferred"} 1'],
    ['port_ephemeral_used_ports{netns="host",protocol="tcp"} 7'],
    ['port_ephemeral_used_ports{netns="host",protocol="udp"} 4'],
    ['port_connect_capacity_ports{netns="host",protocol="tcp"} 92'],
    ['port_connect_capacity_ports{netns="host",protocol="udp"} 91'],
    ['port_exhaustion_available_ports{netns="host",protocol="tcp",scope="connect"} 90'],
    ['port_exhaustion_available_ports{netns="host",protocol="udp",scope="connect"} 91'],
    ['port_exhaustion_peak_ratio{netns="host",protocol="udp",scope="bind"} 0.5'],
    ['port_canary_success{netns="host",protocol="tcp",family="ipv4"} 1'],
    ['port_canary_success{netns="host",protocol="udp",family="ipv4"} 0'],
    ['port_canary_duration_seconds{netns="host",protocol="udp",family="ipv4"} 0.00001'],
    ['port_canary_error_info{netns="host",protocol="udp",family="ipv4",error="EADDRINUSE"} 1'],
    ['port_canary_error_info{netns="host",protocol="tcp",family="ipv6",error="EADDRNOTAVAIL"} 1'],
    ['port_canary_disagreements_total{netns="host",protocol="udp",family="ipv4"} 3'],
    ['port_destinations{netns="host"} 4'],
    ['port_local_addresses{netns="host",protocol="udp"} 3'],
    ['port_sockets{netns="host",protocol="tcp",family="ipv4",state="bound_inactive"} 1'],
    ['port_connections{netns="host",direction="inbound",state="established"} 1'],
    ['port_listeners{netns="host",protocol="tcp",family="ipv4"} 1'],
    ['port_listeners{netns="host",protocol="tcp",family="ipv6"} 1'],
    ['port_listeners{netns="host",protocol="udp",family="ipv4"} 1'],
    ['port_owner_ephemeral_ports{netns="host",protocol="tcp",owner="app.service"} 6'],
    ['port_owner_ephemeral_ports{netns="host",protocol="udp",owner="app.service"} 3'],
    ['port_owners{netns="host",protocol="tcp"} 2'],
    ['port_snat_exhaustion_ratio{netns="host",protocol="tcp"} 0.5'],
    ['port_snat_available_ports{netns="host",protocol="udp"} 1000'],
    ['port_snat_refusal_ratio{netns="host",protocol="tcp"} 0.0078125'],
    ['port_snat_peak_ratio{netns="host",protocol="tcp"} 0.75'],
    ['port_snat_range_ports{netns="host",protocol="tcp"} 1000'],
    ['port_snat_destinations{netns="host",protocol="tcp"} 2'],
    ['port_conntrack_entries{netns="host"} 1200'],
    ['port_conntrack_entries_limit{netns="host"} 262144'],
    ['port_conntrack_insert_failed_total{netns="host"} 1'],
    ['port_conntrack_dropped_total{netns="host"} 2'],
    ['port_conntrack_early_dropped_total{netns="host"} 3'],
    ['port_conntrack_found_total{netns="host"} 248'],
    ['port_exporter_omitted_series{metric="port_snat_destination_used_ports"} 3'],
    ['port_exporter_sampled_sockets{netns="host"} 16'],
    ['port_exporter_source_info{source="netlink"} 1'],
    ['port_exporter_sample_success{netns="host",collector="tcp"} 1'],
    ['port_exporter_sample_duration_seconds{netns="host",collector="udp"} 0.125'],
    ['port_exporter_sample_timestamp_seconds 1700000000.5'],
    ['port_exporter_sample_interval_seconds 5'],
  ])('%s', async (line) => {
    expect((await render(rich)).split('\n')).toContain(line);
  });

  it('names a destination by its addresses and port, and what it holds by state', async () => {
    const labels = 'netns="host",local_address="10.0.0.1",remote_address="203.0.113.1",remote_port="443"';
    expect((await render(rich)).split('\n').filter((line) => line.includes(labels))).toEqual([
      `port_destination_used_ports{${labels},state="established"} 3`,
      `port_destination_used_ports{${labels},state="time_wait"} 0`,
      `port_destination_used_ports{${labels},state="other"} 0`,
      `port_destination_reclaimable_ports{${labels}} 0`,
      `port_destination_available_ports{${labels}} 90`,
      `port_destination_exhaustion_ratio{${labels}} ${1 - 90 / 95}`,
    ]);
  });

  it('names a destination behind a NAT by its addresses and port, and by its zone where it has one', async () => {
    const { snat } = RICH_NAMESPACE.results;
    const [first] = snat.destinations.fullest;
    if (first === undefined) throw new Error('no destination');
    const inZone = {
      ...{ ...first, zone: 7, used: { established: 1, timeWait: 0, other: 0 }, available: 999 },
      clients: [{ address: '10.0.0.9', ports: 1 }],
    };
    const fullest = [first, inZone];
    const state = sampled(
      withResults(RICH_NAMESPACE, { snat: { ...snat, destinations: { total: 2, fullest } } }),
    );
    const labels =
      'netns="host",protocol="tcp",nat_address="198.51.100.1",remote_address="192.0.2.1",remote_port="443"';
    expect((await render(state)).split('\n').filter((line) => line.includes(labels))).toEqual([
      `port_snat_destination_used_ports{${labels},state="established"} 300`,
      `port_snat_destination_used_ports{${labels},state="time_wait"} 150`,
      `port_snat_destination_used_ports{${labels},state="other"} 50`,
      `port_snat_destination_used_ports{${labels},zone="7",state="established"} 1`,
      `port_snat_destination_used_ports{${labels},zone="7",state="time_wait"} 0`,
      `port_snat_destination_used_ports{${labels},zone="7",state="other"} 0`,
      `port_snat_destination_available_ports{${labels}} 500`,
      `port_snat_destination_available_ports{${labels},zone="7"} 999`,
      `port_snat_destination_refusal_ratio{${labels}} 0.0078125`,
      `port_snat_destination_refusal_ratio{${labels},zone="7"} 0.0078125`,
      `port_snat_destination_client_ports{${labels},client_address="10.0.0.5"} 400`,
      `port_snat_destination_client_ports{${labels},zone="7",client_address="10.0.0.9"} 1`,
    ]);
  });

  it('names a listener by its address and port, and joins who it is', async () => {
    const lines = (await render(rich)).split('\n').filter((line) => line.includes('port="80"'));
    const labels = 'netns="host",protocol="tcp",address="0.0.0.0",port="80"';
    expect(lines).toEqual([
      `port_listener_info{${labels},service="http",process="nginx",user="www-data",owner="nginx.service"} 1`,
      `port_listener_accept_queue{${labels}} 3`,
      `port_listener_accept_queue_limit{${labels}} 511`,
      `port_listener_dropped_total{${labels}} 4`,
      `port_listener_connections{${labels}} 1`,
      `port_listener_in_ephemeral_range{${labels}} 0`,
    ]);
  });

  it('knows no queue of connections of a UDP listener, and shows none', async () => {
    const lines = (await render(rich)).split('\n').filter((line) => line.includes('port="53"'));
    const labels = 'netns="host",protocol="udp",address="0.0.0.0",port="53"';
    expect(lines).toEqual([
      `port_listener_info{${labels},service="",process="",user="",owner=""} 1`,
      `port_listener_dropped_total{${labels}} 7`,
      `port_listener_in_ephemeral_range{${labels}} 0`,
    ]);
  });

  it('leaves out what the source does not tell: limits, drops and owners', async () => {
    const blind = RICH_NAMESPACE.listeners.map((listener) => ({
      ...listener,
      acceptQueueLimit: undefined,
      dropped: undefined,
    }));
    const owners = {};
    const all = await series(sampled({ ...withResults(RICH_NAMESPACE, { owners }), listeners: blind }));
    const names = new Set(all.map(({ name }) => name));
    for (const name of ['port_listener_accept_queue_limit', 'port_listener_dropped_total', 'port_owners']) {
      expect(names.has(name), name).toBe(false);
    }
    expect(names.has('port_listener_accept_queue')).toBe(true);
    const omitted = all.filter(({ name }) => name === 'port_exporter_omitted_series');
    expect(omitted.map(({ labels }) => labels['metric'])).not.toContain('port_owner_ephemeral_ports');
  });

  it('says for every limited metric how many series a limit left out', async () => {
    const omitted = (await series(rich)).filter(({ name }) => name === 'port_exporter_omitted_series');
    // Shown: 2 of 4 destinations; 1 of 2 TCP addresses and 1 of 3 UDP ones.
    expect(Object.fromEntries(omitted.map(({ labels, value }) => [labels['metric'], value]))).toEqual({
      port_destination_used_ports: 6,
      port_destination_reclaimable_ports: 2,
      port_destination_available_ports: 2,
      port_destination_exhaustion_ratio: 2,
      port_local_address_used_ports: 3,
      port_local_address_available_ports: 3,
      port_local_address_exhaustion_ratio: 3,
      // And 1 of 2 TCP listeners, 1 of 2 UDP ones; 1 of 2 owners of each.
      port_listener_info: 2,
      port_listener_dropped_total: 2,
      port_listener_in_ephemeral_range: 2,
      port_listener_accept_queue: 1,
      port_listener_accept_queue_limit: 1,
      port_listener_connections: 1,
      port_owner_ephemeral_ports: 2,
      // And 1 of 2 destinations behind a NAT.
      port_snat_destination_used_ports: 3,
      port_snat_destination_available_ports: 1,
      port_snat_destination_refusal_ratio: 1,
      port_namespace_info: 0,
    });
  });

  it('has every state, family, protocol and scope, with 0 where there is nothing', async () => {
    const known = (all: Series[]) =>
      all
        .filter(({ name }) => !/^port_(destination_|local_address_|listener_|owner_)/.test(name))
        .map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    const empty = await series(sampled(EMPTY_NAMESPACE));
    expect(known(empty)).toEqual(known(await series(rich)));
    const counts = empty.filter(({ name }) =>
      /^port_(sockets|connections|destinations|local|listeners|owners)/.test(name),
    );
    expect(counts).toHaveLength(22 + 4 + 18 + 1 + 2 + 4 + 2);
    expect(counts.every(({ value }) => value === 0)).toBe(true);
  });

  it('leaves out what the kernel does not show: bound-only sockets', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const blind = { ...tcp, blocked: { ...tcp.blocked, bound: undefined } };
    const text = await render(sampled(withResults(RICH_NAMESPACE, { tcp: blind })));
    expect(text).not.toContain('evidence="bound"');
    expect(text).toContain('evidence="listener"');
  });

  it('tells namespaces apart', async () => {
    const all = await series(sampled(RICH_NAMESPACE, { ...EMPTY_NAMESPACE, netns: 'net:[4026532000]' }));
    const destinations = all.filter(({ name }) => name === 'port_destinations');
    expect(destinations.map(({ labels, value }) => [labels['netns'], value])).toEqual([
      ['host', 4],
      ['net:[4026532000]', 0],
    ]);
  });

  it('escapes what strangers put into a name', async () => {
    const netns = 'a "quoted"\nname\\';
    const identity = { ...EMPTY_NAMESPACE.identity, netns };
    const text = await render(sampled({ ...EMPTY_NAMESPACE, netns, identity }));
    expect(text).toContain('port_ephemeral_ports{netns="a \\"quoted\\"\\nname\\\\"} 95');
    expect(new Set(parseExposition(text).flatMap(({ labels }) => labels['netns'] ?? []))).toEqual(
      new Set([netns]),
    );
  });
});

describe('a collector that failed', () => {
  it.each(['range', 'tcp', 'udp', 'owners', 'canary', 'conntrack', 'snat'] as const)(
    'leaves nothing of its own behind and everything of the others: %s',
    async (collector) => {
      const exposition = createExposition({ withProcess: false });
      const before = parseExposition(await exposition.render(rich, 'text'));
      const after = parseExposition(
        await exposition.render(sampled(failing(RICH_NAMESPACE, collector)), 'text'),
      );
      const kernel = (all: Series[]) => all.filter(({ name }) => !name.startsWith('port_exporter_'));
      expect(kernel(after)).toEqual(kernel(before).filter((one) => !collectorsOf(one).includes(collector)));
      expect(kernel(before).filter((one) => collectorsOf(one).includes(collector))).not.toEqual([]);
      const success = after.filter(({ name }) => name === 'port_exporter_sample_success');
      expect(success.map(({ labels, value }) => [labels['collector'], value])).toEqual(
        COLLECTORS.map(({ name }) => [name, name === collector ? 0 : 1]),
      );
    },
  );

  it('does not say how many sockets there are where none were read', async () => {
    const text = await render(sampled(failing(RICH_NAMESPACE, 'tcp', 'udp')));
    expect(text).not.toContain('port_exporter_sampled_sockets{');
  });
});

describe('where sampling failed', () => {
  it('every known collector has success 0, and nothing of the kernel is left', async () => {
    const exposition = createExposition({ withProcess: false });
    await exposition.render(rich, 'text');
    const all = parseExposition(await exposition.render(failed, 'text'));
    expect(all.map(({ name, labels, value }) => [name, labels['collector'], value])).toEqual([
      ['port_exporter_build_info', undefined, 1],
      ['port_exporter_sample_success', 'range', 0],
      ['port_exporter_sample_success', 'tcp', 0],
      ['port_exporter_sample_success', 'udp', 0],
      ['port_exporter_sample_success', 'owners', 0],
      ['port_exporter_log_lines_dropped_total', undefined, 0],
      ['port_probe_targets', undefined, 0],
    ]);
  });

  it('all is back with the next sample', async () => {
    const exposition = createExposition({ withProcess: false });
    await exposition.render(failed, 'text');
    expect(await exposition.render(rich, 'text')).toBe(await render(rich));
  });
});

describe('the two formats', () => {
  it('say the same', async () => {
    const openmetrics = await render(rich, 'openmetrics');
    expect(parseExposition(openmetrics)).toEqual(await series(rich));
  });

  it('each name a counter as they do, whichever was rendered before', async () => {
    const exposition = createExposition({ withProcess: false });
    for (const format of ['text', 'openmetrics', 'text', 'openmetrics'] as const) {
      // A state of its own each time, so that it is rendered anew.
      const text = await exposition.render({ ...rich }, format);
      expect(text).toMatch(/^port_listener_dropped_total\{.*port="80"\} 4$/m);
      const declared = format === 'text' ? 'port_listener_dropped_total' : 'port_listener_dropped';
      expect(text).toContain(`# TYPE ${declared} counter\n`);
    }
  });

  it('OpenMetrics ends with its end, the text format has none', async () => {
    expect(await render(rich, 'openmetrics')).toMatch(/\n# EOF\n$/);
    expect(await render(failed, 'openmetrics')).toMatch(/\n# EOF\n$/);
    expect(await render(rich, 'text')).not.toContain('# EOF');
  });

  it('OpenMetrics has one end, behind the metrics of the process too', async () => {
    const text = await createExposition({ withProcess: true }).render(rich, 'openmetrics');
    expect(text.match(/# EOF/g)).toHaveLength(1);
    expect(text).toMatch(/\n# EOF\n$/);
    expect(text.indexOf('process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  it('never mix two states, even rendered at once', async () => {
    const exposition = createExposition({ withProcess: false });
    const states = [rich, failed, sampled(EMPTY_NAMESPACE), rich];
    const formats = ['text', 'openmetrics', 'text', 'openmetrics'] as const;
    const together = await Promise.all(
      states.map((state, index) => exposition.render(state, formats[index] ?? 'text')),
    );
    const apart = await Promise.all(states.map((state, index) => render(state, formats[index])));
    expect(together).toEqual(apart);
  });

  it('have of the process only when it started where no more is asked for', async () => {
    const exposition = createExposition({ withProcess: 'start' });
    for (const format of ['text', 'openmetrics'] as const) {
      const own = parseExposition(await exposition.render(rich, format)).filter(
        ({ name }) => !name.startsWith('port_'),
      );
      expect(own.map(({ name }) => name)).toEqual(['process_start_time_seconds']);
      expect(own[0]?.value).toBeCloseTo(Date.now() / 1000 - process.uptime(), -1);
    }
  });

  it('have no series for each heap space of V8', async () => {
    for (const format of ['text', 'openmetrics'] as const) {
      const text = await createExposition({ withProcess: true }).render(rich, format);
      expect(text).toContain('nodejs_heap_size_used_bytes ');
      expect(text).not.toContain('nodejs_heap_space_');
    }
  });

  it('have the metrics of the process where they are asked for', async () => {
    const text = await createExposition({ withProcess: true }).render(failed, 'text');
    expect(text).toContain('process_resident_memory_bytes ');
    expect(await render(failed)).not.toContain('process_');
  });
});

describe('scraped again', () => {
  afterEach(() => void vi.useRealTimers());

  it('the metrics of the process are the same for a quarter of a second, and then new', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const exposition = createExposition({ withProcess: true });
    const render = () => exposition.render(rich, 'text');
    const cpuTime = (text: string) => /^process_cpu_seconds_total .*$/m.exec(text)?.[0];
    const first = await render();
    vi.advanceTimersByTime(249);
    expect(await render()).toBe(first);
    burnProcessorTime();
    vi.advanceTimersByTime(1);
    const later = await render();
    expect(cpuTime(later)).not.toBe(cpuTime(first));
  });

  it('a new sample is shown at once', async () => {
    const exposition = createExposition({ withProcess: true });
    const before = await exposition.render(rich, 'text');
    const after = await exposition.render(sampled(EMPTY_NAMESPACE), 'text');
    expect(before).toContain('port_destination_used_ports{');
    expect(after).not.toContain('port_destination_used_ports{');
    expect(await exposition.render(rich, 'text')).toContain('port_destination_used_ports{');
  });
});

function burnProcessorTime(): void {
  const { user, system } = process.cpuUsage();
  for (;;) {
    const used = process.cpuUsage();
    if (used.user + used.system - user - system > 2_000) return;
  }
}

function render(state: SamplingState, format: 'text' | 'openmetrics' = 'text'): Promise<string> {
  return createExposition({ withProcess: false }).render(state, format);
}

async function series(state: SamplingState): Promise<Series[]> {
  return parseExposition(await render(state));
}

/** Whose number it is: without any of them it is not there. */
function collectorsOf({ name, labels }: Series): (string | undefined)[] {
  if (name.startsWith('port_snat_')) return ['snat'];
  if (name.startsWith('port_conntrack_')) return ['conntrack'];
  if (name.startsWith('port_canary_')) return ['canary', 'range'];
  const described = /^port_(listener_|owner)/.test(name) ? ['owners'] : [];
  if (labels['protocol'] !== undefined) return [labels['protocol'], ...described];
  if (/^port_(destination|connections|ephemeral_blocked|ephemeral_uncertain)/.test(name)) return ['tcp'];
  return name.startsWith('port_ephemeral_') ? ['range'] : [];
}
