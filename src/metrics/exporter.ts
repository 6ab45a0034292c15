import { REVISION, VERSION } from '../base/version.ts';
import { fullResults, listenersOf } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import { DESTINATION_SERIES } from './destinations.ts';
import { PaintedGauge } from './gauge.ts';
import { LISTENER_SERIES, UDP_LISTENER_SERIES } from './listeners.ts';
import { LOCAL_ADDRESS_SERIES } from './localAddresses.ts';
import type { DefineMetricGroup } from './metricGroup.ts';
import { OWNER_SERIES } from './owners.ts';
import { SNAT_SERIES } from './snat.ts';

/** What the exporter says of itself and of its sampling. */
export const defineExporter: DefineMetricGroup = (registers) => {
  const build = new PaintedGauge(registers, {
    name: 'port_exporter_build_info',
    help: 'Always 1; version and revision of the exporter, and the version of Node.js that runs it.',
    labels: ['version', 'revision', 'node_version'],
  });
  const success = new PaintedGauge(registers, {
    name: 'port_exporter_sample_success',
    help:
      'Whether the collector succeeded in the last sample; the metrics of a failed collector are absent. Collector enter: ' +
      "whether the namespace could be entered or, for the exporter's own, whether all others could be found.",
    labels: ['netns', 'collector'],
  });
  const duration = new PaintedGauge(registers, {
    name: 'port_exporter_sample_duration_seconds',
    help: 'Duration of the collector in the last sample.',
    labels: ['netns', 'collector'],
  });
  const timestamp = new PaintedGauge(registers, {
    name: 'port_exporter_sample_timestamp_seconds',
    help: 'Unix timestamp of the last complete sample.',
  });
  const interval = new PaintedGauge(registers, {
    name: 'port_exporter_sample_interval_seconds',
    help: 'Actual interval between sample starts: --sample.interval, stretched by --sample.max-duty up to --peak.window.',
  });
  const configured = new PaintedGauge(registers, {
    name: 'port_exporter_sample_interval_configured_seconds',
    help: 'Configured interval between sample starts: --sample.interval.',
  });
  const sampled = new PaintedGauge(registers, {
    name: 'port_exporter_sampled_sockets',
    help: 'Sockets read in the last sample.',
    labels: ['netns'],
  });
  const detail = new PaintedGauge(registers, {
    name: 'port_exporter_sample_detail',
    help:
      'Whether all sockets of the namespace were read. If 0, only its listeners and the counts in sockstat were: ' +
      'port_exhaustion_ratio is then an estimated upper limit, and destinations are absent.',
    labels: ['netns'],
  });
  const age = new PaintedGauge(registers, {
    name: 'port_exporter_sample_age_seconds',
    help: 'Age of the sample of this namespace when the last round was complete; namespaces take turns.',
    labels: ['netns'],
  });
  const source = new PaintedGauge(registers, {
    name: 'port_exporter_source_info',
    help: 'Always 1; source of the sockets: bpf (the kernel), netlink (sock_diag) or procfs (/proc/net).',
    labels: ['source'],
  });
  const omitted = new PaintedGauge(registers, {
    name: 'port_exporter_omitted_series',
    help: 'Series omitted because of a limit flag; the fullest are exported.',
    labels: ['metric'],
  });
  const gauges = [
    build,
    success,
    duration,
    timestamp,
    interval,
    configured,
    sampled,
    detail,
    age,
    source,
    omitted,
  ];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint(state) {
      build.set({ version: VERSION, revision: REVISION, node_version: process.version }, 1);
      if (state.kind === 'failed') {
        for (const labels of state.collectors) success.set({ ...labels }, 0);
        return;
      }
      timestamp.set({}, state.snapshot.timestampMs / 1000);
      interval.set({}, state.snapshot.intervalSeconds);
      configured.set({}, state.snapshot.configuredIntervalSeconds);
      source.set({ source: state.snapshot.source }, 1);
      const namespaces = namespacesOf(state);
      for (const namespace of namespaces) {
        const { netns, outcomes, detail: read, sampledAtMs } = namespace;
        detail.set({ netns }, read === 'full' ? 1 : 0);
        age.set({ netns }, Math.max(0, state.snapshot.completedAtMs - sampledAtMs) / 1000);
        for (const { collector, seconds, error } of outcomes) {
          success.set({ netns, collector }, error === undefined ? 1 : 0);
          duration.set({ netns, collector }, seconds);
        }
        const { tcp, udp } = fullResults(namespace);
        if (tcp !== undefined && udp !== undefined) {
          sampled.set({ netns }, tcp.sampledSockets + udp.sampledSockets);
        }
      }
      for (const [metric, count] of omittedSeries(namespaces)) omitted.set({ metric }, count);
      omitted.set({ metric: 'port_namespace_info' }, state.snapshot.namespacesOmitted);
    },
  };
};

/** Rows left out of each table that was sampled. */
function omittedSeries(namespaces: readonly NamespaceSnapshot[]): Map<string, number> {
  const omitted = new Map<string, number>();
  const count = (series: Readonly<Record<string, number>>, table: Table | undefined): void => {
    if (table === undefined) return;
    const rows = table.total - table.fullest.length;
    for (const [metric, each] of Object.entries(series)) {
      omitted.set(metric, (omitted.get(metric) ?? 0) + each * rows);
    }
  };
  for (const namespace of namespaces) {
    const { tcp, udp, owners = {} } = fullResults(namespace);
    count(DESTINATION_SERIES, tcp?.destinations);
    count(LOCAL_ADDRESS_SERIES, tcp?.localAddresses);
    count(LISTENER_SERIES, listenersOf(namespace, 'tcp'));
    count(LOCAL_ADDRESS_SERIES, udp?.localAddresses);
    count(SNAT_SERIES, namespace.results.snat?.destinations);
    count(UDP_LISTENER_SERIES, listenersOf(namespace, 'udp'));
    for (const protocol of Object.values(owners)) count(OWNER_SERIES, protocol);
  }
  return omitted;
}

interface Table {
  readonly total: number;
  readonly fullest: readonly unknown[];
}
