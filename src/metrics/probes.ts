import type { ProbesState } from '../probes/openProbes.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** What came of connecting to the targets of --probe and --probe.file. */
export const defineProbes: DefineMetricGroup<ProbesState> = (registers) => {
  const success = new PaintedGauge(registers, {
    name: 'port_probe_success',
    help:
      'Whether the last TCP connect() to the target succeeded. 0 means that applications get the error in ' +
      'port_probe_error_info. Absent before the first probe.',
    labels: ['target'],
  });
  const duration = new PaintedGauge(registers, {
    name: 'port_probe_duration_seconds',
    help:
      'Duration of the last probe by phase. resolve: getaddrinfo(), absent if the target is an address. connect: ' +
      'connect() to all addresses tried, absent if none was found.',
    labels: ['target', 'phase'],
  });
  const error = new PaintedGauge(registers, {
    name: 'port_probe_error_info',
    help:
      'Always 1; reason is why the last probe failed. no_local_port: this host has no port left for the target, which may ' +
      'be healthy (EADDRNOTAVAIL). no_source_address: this host has no address to connect from (also EADDRNOTAVAIL).',
    labels: ['target', 'reason'],
  });
  const timestamp = new PaintedGauge(registers, {
    name: 'port_probe_timestamp_seconds',
    help: 'Unix timestamp of the end of the last probe of the target.',
    labels: ['target'],
  });
  const interval = new PaintedGauge(registers, {
    name: 'port_probe_interval_seconds',
    help:
      'Configured interval between probe starts. The actual interval is longer while too many targets do not answer: see ' +
      'port_probe_timestamp_seconds.',
    labels: ['target'],
  });
  const targets = new PaintedGauge(registers, {
    name: 'port_probe_targets',
    help: 'Targets of --probe and --probe.file, probed or not.',
  });
  const reloaded = new PaintedGauge(registers, {
    name: 'port_probe_file_last_reload_successful',
    help:
      'Whether the last load of --probe.file succeeded. While 0, the previous probes stay in effect. Absent without a ' +
      'file.',
  });
  const gauges = [success, duration, error, timestamp, interval, targets, reloaded];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint({ results, fileIsGood }) {
      targets.set({}, results.targets);
      reloaded.setKnown({}, fileIsGood === undefined ? undefined : Number(fileIsGood));
      for (const { target, outcome, timestampMs } of results.probed) {
        const labels = { target: target.name };
        success.set(labels, outcome.failure === undefined ? 1 : 0);
        duration.setKnown({ ...labels, phase: 'resolve' }, outcome.resolveSeconds);
        duration.setKnown({ ...labels, phase: 'connect' }, outcome.connectSeconds);
        if (outcome.failure !== undefined) error.set({ ...labels, reason: outcome.failure.reason }, 1);
        timestamp.set(labels, timestampMs / 1000);
        interval.set(labels, target.intervalMs / 1000);
      }
    },
  };
};
