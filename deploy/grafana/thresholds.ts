import {
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  CONNTRACK_NEAR_LIMIT,
  EXHAUSTED_WITHIN,
  IMMINENT,
  NEAR,
  QUEUE_NEAR_LIMIT,
  SLOW,
  SNAT_REFUSING,
  SNAT_RUNNING_OUT,
} from './levels.ts';

export const EXHAUSTION_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: SLOW, color: 'yellow' },
  { value: NEAR, color: 'orange' },
  { value: IMMINENT, color: 'red' },
];

export const QUEUE_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: QUEUE_NEAR_LIMIT, color: 'orange' },
  { value: 1, color: 'red' },
];

export const SNAT_REFUSAL_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: SNAT_REFUSING, color: 'red' },
];

export const SNAT_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: SNAT_RUNNING_OUT, color: 'orange' },
];

export const CONNTRACK_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: CONNTRACK_NEAR_LIMIT, color: 'orange' },
  { value: 1, color: 'red' },
];

export const TIME_LEFT_STEPS: Threshold[] = [
  { value: null, color: 'red' },
  { value: EXHAUSTED_WITHIN, color: 'green' },
];

/** Of a number of ports or calls that are left: coloured only where there are none. */
export const LEFT_STEPS: Threshold[] = [
  { value: null, color: 'red' },
  { value: 1, color: 'text' },
];

/** Of a count of what should not be. */
export const NONE_WANTED_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: 1, color: 'red' },
];

/** Of a rate that should be 0: once in a quarter of an hour is too often. */
export const NONE_REFUSED_STEPS: Threshold[] = [
  { value: null, color: 'green' },
  { value: 0.001, color: 'red' },
];

/** Of a 1 that should be. */
export const WANTED_STEPS: Threshold[] = [
  { value: null, color: 'red' },
  { value: 1, color: 'green' },
];

/** No colour means anything. */
export const PLAIN_STEPS: Threshold[] = [{ value: null, color: 'text' }];

/** Bars whose length says it all. */
export const BAR_STEPS: Threshold[] = [{ value: null, color: 'blue' }];

/** @param steps in ascending order; the first has the value null, which stands for everything below the second */
export function thresholds(steps: Threshold[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}
