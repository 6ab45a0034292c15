import type { Registry } from 'prom-client';
import type { SamplingState } from '../snapshot/samplingState.ts';

/** A group of metrics that are painted together. What its part of the state lacks it leaves out. */
export interface MetricGroup<State = SamplingState> {
  clear(): void;
  paint(state: State): void;
}

/** Registers the family's metrics. A metric belongs to several registries, one a content type. */
export type DefineMetricGroup<State = SamplingState> = (registers: Registry[]) => MetricGroup<State>;
