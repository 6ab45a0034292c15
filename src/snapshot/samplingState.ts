import type { CollectorName } from './sample.ts';
import type { SamplerUsage } from './samplerMessage.ts';
import type { Snapshot } from './snapshot.ts';

/** What there is to show: the last complete sample, or why there is none. */
export type SamplingState = (
  | {
      readonly kind: 'sampled';
      readonly snapshot: Snapshot;
      /** When it arrived, by monotonicMs() of the thread that asks how old it is. */
      readonly receivedAtMs: number;
    }
  | {
      readonly kind: 'failed';
      /** One line. */
      readonly reason: string;
      /** What sampled before the failure, and does not now. */
      readonly collectors: readonly { readonly netns: string; readonly collector: CollectorName }[];
    }
) & {
  /** The process that samples; undefined where it is this one. */
  readonly sampler?: SamplerProcessState;
};

export interface SamplerProcessState {
  /** As of its last sample; undefined before the first. */
  readonly usage: SamplerUsage | undefined;
  /** How often another was started in its place. */
  readonly restarts: number;
}

/** How long ago a sample was complete, in milliseconds; `nowMs` by monotonicMs(). */
export function ageOf({ receivedAtMs }: { readonly receivedAtMs: number }, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - receivedAtMs));
}

/** Namespaces of the last sample; none where there is no sample. */
export function namespacesOf(state: SamplingState): Snapshot['namespaces'] {
  return state.kind === 'sampled' ? state.snapshot.namespaces : [];
}
