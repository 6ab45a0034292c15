import { beforeAll, describe, expect, it } from 'vitest';
import { createExposition } from '../../src/metrics/exposition.ts';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { estimatedAt, RICH_NAMESPACE, sampled } from './snapshots.ts';

// No privilege, no kernel: what is exposed of a namespace that was not read whole, beside one that was.

/** Of which only the listeners and the kernel's counts were read, 20 s before the round was complete. */
function estimated(): NamespaceSnapshot {
  const [listener] = RICH_NAMESPACE.results.tcp.listeners.fullest;
  if (listener === undefined) throw new Error('nobody listens');
  const namespace = estimatedAt(RICH_NAMESPACE, {
    tcp: { ratio: 0.25, available: 71 },
    udp: { ratio: 0.125, available: 83 },
    listeners: { counts: { ipv4: 3, ipv6: 4 }, total: 6, fullest: [listener] },
  });
  return {
    ...namespace,
    netns: 'pod',
    identity: { ...RICH_NAMESPACE.identity, netns: 'pod', inode: 7 },
    sampledAtMs: 1_700_000_000_500 - 20_000,
    peaks: [
      { protocol: 'tcp', scope: 'connect', ratio: 0.3 },
      { protocol: 'udp', scope: 'bind', ratio: 0.2 },
    ],
    listeners: RICH_NAMESPACE.listeners.filter(({ protocol }) => protocol === 'tcp').slice(0, 1),
  };
}

let series: readonly Series[] = [];
beforeAll(async () => {
  const exposition = createExposition({ withProcess: false });
  series = parseExposition(await exposition.render(sampled(RICH_NAMESPACE, estimated()), 'text'));
});

/** `tcp connect 0.25`: the labels in their order without netns, and the value. */
const shown = (name: string, netns = 'pod') =>
  series
    .filter((one) => one.name === name && (one.labels['netns'] ?? netns) === netns)
    .map(({ labels: { netns: _, ...labels }, value }) => [...Object.values(labels), value].join(' '));

describe('a namespace that was not read whole', () => {
  it('says so, and how old that is', () => {
    expect(shown('port_exporter_sample_detail')).toEqual(['0']);
    expect(shown('port_exporter_sample_detail', 'host')).toEqual(['1']);
    expect(shown('port_exporter_sample_age_seconds')).toEqual(['20']);
    expect(shown('port_exporter_sampled_sockets')).toEqual([]);
    expect(shown('port_exporter_sampled_sockets', 'host')).toHaveLength(1);
  });

  it('has the estimate of its protocol as the ratio of both scopes, and does not say how many calls are left', () => {
    expect(shown('port_exhaustion_ratio')).toEqual([
      'tcp connect 0.25',
      'tcp bind 0.25',
      'udp connect 0.125',
      'udp bind 0.125',
    ]);
    expect(shown('port_exhaustion_available_ports')).toEqual([]);
    expect(shown('port_connect_capacity_ports')).toEqual([]);
    expect(shown('port_exhaustion_peak_ratio')).toEqual(['tcp connect 0.3', 'udp bind 0.2']);
    expect(shown('port_exhaustion_available_ports', 'host')).toHaveLength(4);
  });

  it('has its listeners, by family, and nothing that takes a walk', () => {
    expect(shown('port_listeners')).toEqual(['tcp ipv4 3', 'tcp ipv6 4']);
    expect(shown('port_listener_info')).toHaveLength(1);
    expect(shown('port_ephemeral_ports')).toEqual(shown('port_ephemeral_ports', 'host'));
    for (const name of [
      'port_destinations',
      'port_local_addresses',
      'port_sockets',
      'port_owners',
      'port_ephemeral_used_ports',
    ])
      expect(shown(name), name).toEqual([]);
  });

  it('counts among the series left out those of its listeners that were, each once', () => {
    const of = (...namespaces: NamespaceSnapshot[]) =>
      createExposition({ withProcess: false })
        .render(sampled(...namespaces), 'text')
        .then((text) =>
          Object.fromEntries(
            parseExposition(text)
              .filter(({ name }) => name === 'port_exporter_omitted_series')
              .map(({ labels, value }) => [labels['metric'], value]),
          ),
        );
    return Promise.all([of(RICH_NAMESPACE), of(RICH_NAMESPACE, estimated()), of(estimated())]).then(
      ([whole, both, alone]) => {
        const left = 5;
        for (const metric of [
          'port_listener_info',
          'port_listener_accept_queue',
          'port_listener_accept_queue_limit',
          'port_listener_dropped_total',
          'port_listener_connections',
          'port_listener_in_ephemeral_range',
        ]) {
          expect(alone[metric], metric).toBe(left);
          expect(both[metric], metric).toBe(Number(whole[metric]) + left);
        }
        // Where nothing was walked nothing of it was left out.
        expect(alone['port_destination_used_ports']).toBeUndefined();
        expect(both['port_destination_used_ports']).toBe(whole['port_destination_used_ports']);
      },
    );
  });
});
