import type { ProbesState } from '../probes/openProbes.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** What came of connecting to the targets of --probe and --probe.file. */
export const defineProbes: DefineMetricGroup<ProbesState> = (registers) => {
  const success = new PaintedGauge(registers, {
    name: 'port_probe_success',
    help:
      'Whether the last TCP connect() to the target succeeded; 0: an application gets the error of ' +
      'port_probe_error_info. Absent until it was probed.',
    labels: ['target'],
  });
  const duration = new PaintedGauge(registers, {
    name: 'port_probe_duration_seconds',
    help:
      'Wall time of the last probe by phase: resolve is getaddrinfo(), absent where the target is an address; connect is ' +
      'connect() to every address that was tried, absent where none was found.',
    labels: ['target', 'phase'],
  });
  const error = new PaintedGauge(registers, {
    name: 'port_probe_error_info',
    help:
      'Always 1; why the last probe failed. no_local_port: this machine has no port left for the target (EADDRNOTAVAIL), ' +
      'which may be well; no_source_address: it has no address to come from (EADDRNOTAVAIL too).',
    labels: ['target', 'reason'],
  });
  const timestamp = new PaintedGauge(registers, {
    name: 'port_probe_timestamp_seconds',
    help: 'When the last probe of the target ended, in seconds since the epoch.',
    labels: ['target'],
  });
  const interval = new PaintedGauge(registers, {
    name: 'port_probe_interval_seconds',
    help:
      'Wished-for time from the start of one probe of the target to that of the next. It is longer where too many ' +
      'targets do not answer: see port_probe_timestamp_seconds.',
    labels: ['target'],
  });
  const targets = new PaintedGauge(registers, {
    name: 'port_probe_targets',
    help: 'Targets of --probe and --probe.file, probed already or not.',
  });
  const reloaded = new PaintedGauge(registers, {
    name: 'port_probe_file_last_reload_successful',
    help: 'Whether --probe.file was good when it was last read; 0: the one before it is in force. Absent without a file.',
  });
  const gauges = [success, duration, error, timestamp, interval, targets, reloaded];
  return {
    clear: () => gauges.forEach((gauge) => void gauge.clear()),
    paint({ results, fileIsGood }) {
      targets.set({}, results.targets);
      reloaded.setKnown({}, fileIsGood === undefined ? undefined : Number(fileIsGood));
      for (const { target, outcome, endedAtMs } of results.probed) {
        const labels = { target: target.name };
        success.set(labels, outcome.failure === undefined ? 1 : 0);
        duration.setKnown({ ...labels, phase: 'resolve' }, outcome.resolveSeconds);
        duration.setKnown({ ...labels, phase: 'connect' }, outcome.connectSeconds);
        if (outcome.failure !== undefined) error.set({ ...labels, reason: outcome.failure.reason }, 1);
        timestamp.set(labels, endedAtMs / 1000);
        interval.set(labels, target.intervalMs / 1000);
      }
    },
  };
};
