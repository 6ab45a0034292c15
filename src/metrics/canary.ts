import { fullResults } from '../snapshot/sample.ts';
import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedCounter } from './counter.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

const LABELS = ['netns', 'protocol', 'family'] as const;

/** What the kernel said when it was asked for a port. */
export const defineCanary: DefineMetricGroup = (registers) => {
  const success = new PaintedGauge(registers, {
    name: 'port_canary_success',
    help:
      'Whether the kernel gave an ephemeral port to bind(loopback address, 0) in the last sample; in other network ' +
      'namespaces, where the source is bpf, in the last 30 seconds. 0 means that ' +
      'applications get the error in port_canary_error_info. Absent where the kernel was not asked, and without a ' +
      'loopback address.',
    labels: LABELS,
  });
  const duration = new PaintedGauge(registers, {
    name: 'port_canary_duration_seconds',
    help: 'Duration of the canary bind(loopback address, 0). It rises as the kernel searches longer for a free port.',
    labels: LABELS,
  });
  const error = new PaintedGauge(registers, {
    name: 'port_canary_error_info',
    help: 'Always 1; error is the errno of the failed canary socket() or bind(): EADDRINUSE if no port is left.',
    labels: [...LABELS, 'error'],
  });
  const disagreements = new PaintedCounter(registers, {
    name: 'port_canary_disagreements_total',
    help:
      'Samples in which the canary bind() failed although ports were calculated to be available on the loopback address, ' +
      'or succeeded although none were. A few are normal on a busy host, which changes between the two readings.',
    labels: LABELS,
  });
  const painted = [success, duration, error, disagreements];
  return {
    clear: () => painted.forEach((metric) => void metric.clear()),
    paint(state) {
      for (const namespace of namespacesOf(state)) {
        const { netns } = namespace;
        for (const answer of fullResults(namespace).canary ?? []) {
          const { protocol, family, succeeded, seconds, disagreements: count } = answer;
          const labels = { netns, protocol, family };
          success.setKnown(labels, succeeded === undefined ? undefined : Number(succeeded));
          duration.setKnown(labels, succeeded === undefined ? undefined : seconds);
          if (answer.error !== undefined) error.set({ ...labels, error: answer.error }, 1);
          disagreements.setKnown(labels, count);
        }
      }
    },
  };
};
