import { PaintedCounter } from './counter.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** What the process that samples takes of the machine. The metrics process_* are of the one that serves. */
export const defineSampler: DefineMetricGroup = (registers) => {
  const cpu = new PaintedCounter(registers, {
    name: 'port_exporter_sampler_cpu_seconds_total',
    help: 'User and system CPU time of the sampler, the process that reads the socket tables of the kernel.',
    labels: [],
  });
  const memory = new PaintedGauge(registers, {
    name: 'port_exporter_sampler_resident_memory_bytes',
    help: 'Resident memory of the sampler, the process that reads the socket tables of the kernel.',
  });
  const descriptors = new PaintedGauge(registers, {
    name: 'port_exporter_sampler_open_fds',
    help: 'Open file descriptors of the sampler, the process that reads the socket tables of the kernel.',
  });
  const restarts = new PaintedCounter(registers, {
    name: 'port_exporter_sampler_restarts_total',
    help: 'Times the sampler was started again after it hung or ended.',
    labels: [],
  });
  const painted = [cpu, memory, descriptors, restarts];
  return {
    clear: () => painted.forEach((metric) => void metric.clear()),
    paint({ sampler }) {
      restarts.setKnown({}, sampler?.restarts);
      cpu.setKnown({}, sampler?.usage?.cpuSeconds);
      memory.setKnown({}, sampler?.usage?.residentBytes);
      descriptors.setKnown({}, sampler?.usage?.descriptors);
    },
  };
};
