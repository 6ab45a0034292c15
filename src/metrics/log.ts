import { PaintedCounter } from './counter.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** What became of the log; the state is how many lines were dropped. */
export const defineLog: DefineMetricGroup<number> = (registers) => {
  const dropped = new PaintedCounter(registers, {
    name: 'port_exporter_log_lines_dropped_total',
    help: 'Log lines dropped because stderr was full, closed or not read.',
    labels: [],
  });
  return {
    clear: () => dropped.clear(),
    paint: (lines) => dropped.setKnown({}, lines),
  };
};
