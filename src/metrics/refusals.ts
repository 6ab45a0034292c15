import type { SamplingState } from '../snapshot/samplingState.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import type { Counted } from '../status/boundedCounts.ts';
import type { NamespaceCall, RefusalState } from '../status/refusalLedger.ts';
import { PaintedCounter } from './counter.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const DESTINATION_LABELS = ['netns', 'local_address', 'remote_address', 'remote_port'] as const;

/** The refusals, and the namespaces in which there may be none. */
export interface RefusalsShown {
  readonly sampling: SamplingState;
  readonly refusals: RefusalState;
}

/** Calls that the kernel refused for want of a port, and connect() calls that failed otherwise. */
export const defineRefusals: DefineMetricGroup<RefusalsShown> = (registers) => {
  const refused = new PaintedCounter(registers, {
    name: 'port_refusals_total',
    help:
      'Calls that the kernel refused because no ephemeral port was left, from the kernel (BPF). Absent where they ' +
      'cannot be counted.',
    labels: ['netns', 'protocol', 'scope'],
  });
  const likely = new PaintedCounter(registers, {
    name: 'port_retry_refusals_total',
    help:
      'TCP connect() calls refused on a descriptor whose earlier connect() failed, from the kernel (BPF): because no ' +
      'ephemeral port was left, unless routes depend on the source port or a security module held back the SYN.',
    labels: ['netns'],
  });
  const failures = new PaintedCounter(registers, {
    name: 'port_connect_failures_total',
    help:
      'Failed TCP connect() calls by errno, from the kernel (BPF). EADDRNOTAVAIL: this host had no port left, or the ' +
      'application chose a port that was taken. given_up: the application did not wait for the answer.',
    labels: ['netns', 'error'],
  });
  const ofDestination = new PaintedCounter(registers, {
    name: 'port_destination_refusals_total',
    help:
      'TCP connect() calls to this destination that the kernel refused because no ephemeral port was left, first ' +
      'attempts and retries, from the kernel (BPF). The 200 destinations refused last are exported.',
    labels: DESTINATION_LABELS,
  });
  const failuresOfDestination = new PaintedCounter(registers, {
    name: 'port_destination_connect_failures_total',
    help:
      'Failed TCP connect() calls to this destination by errno, from the kernel (BPF), except those that were refused ' +
      'because no ephemeral port was left. The 200 that failed last are exported.',
    labels: [...DESTINATION_LABELS, 'error'],
  });
  const ofOwner = new PaintedCounter(registers, {
    name: 'port_owner_refusals_total',
    help:
      'Calls of this systemd unit, container, pod or cgroup that the kernel refused because no ephemeral port was left, ' +
      'from the kernel (BPF). The 200 owners refused last are exported.',
    labels: ['netns', 'owner'],
  });
  const evicted = new PaintedCounter(registers, {
    name: 'port_exporter_evicted_series_total',
    help: 'Series of this metric that were dropped in favor of newer ones, and calls that fit in no kernel table.',
    labels: ['metric'],
  });
  const leftOut = new PaintedCounter(registers, {
    name: 'port_exporter_excluded_refusals_total',
    help:
      'Refused calls that exporters made to learn which ports are blocked, or that are marked as theirs: excluded from ' +
      'all other metrics.',
    labels: [],
  });
  const counters = [
    ...[refused, likely, failures, ofDestination, failuresOfDestination, ofOwner],
    ...[evicted, leftOut],
  ];
  return {
    clear: () => counters.forEach((counter) => void counter.clear()),
    paint({ sampling, refusals }) {
      const { counted } = refusals;
      if (counted.length === 0) return;
      const isCounted = ({ protocol, scope }: NamespaceCall) =>
        counted.some((call) => call.protocol === protocol && call.scope === scope);
      for (const { key, count } of withZeros(sampling, refusals))
        if (isCounted(key))
          refused.setKnown({ netns: key.netns, protocol: key.protocol, scope: key.scope }, count);
      leftOut.setKnown({}, refusals.leftOut);
      for (const [metric, count] of Object.entries(refusals.evicted)) evicted.setKnown({ metric }, count);
      for (const { key, count } of refusals.owners) ofOwner.setKnown({ ...key }, count);
      for (const [netns, count] of likelyByNamespace(sampling, refusals)) likely.setKnown({ netns }, count);
      for (const { key, count } of refusals.failures) failures.setKnown({ ...key }, count);
      for (const { key, count } of refusals.destinations) ofDestination.setKnown(labelsOf(key), count);
      for (const { key, count } of refusals.destinationFailures)
        failuresOfDestination.setKnown({ ...labelsOf(key), error: key.error }, count);
    },
  };
};

/** A counter that is there before it first rises shows that it did. */
function* withZeros(
  sampling: SamplingState,
  { counted, refused }: RefusalState,
): Generator<Pick<Counted<NamespaceCall>, 'key' | 'count'>> {
  yield* refused;
  const known = new Set(refused.map(({ key }) => `${key.protocol} ${key.scope} ${key.netns}`));
  for (const { netns } of namespacesOf(sampling)) {
    for (const { protocol, scope } of counted)
      if (!known.has(`${protocol} ${scope} ${netns}`)) yield { key: { netns, protocol, scope }, count: 0 };
  }
}

function likelyByNamespace(
  sampling: SamplingState,
  { counted, likely }: RefusalState,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (!counted.some(({ protocol, scope }) => protocol === 'tcp' && scope === 'connect')) return counts;
  for (const { netns } of namespacesOf(sampling)) counts.set(netns, 0);
  for (const { key, count } of likely) counts.set(key.netns, count);
  return counts;
}

function labelsOf(key: RefusalState['destinations'][number]['key']) {
  return {
    netns: key.netns,
    local_address: key.localAddress,
    remote_address: key.remoteAddress,
    remote_port: key.remotePort,
  };
}
