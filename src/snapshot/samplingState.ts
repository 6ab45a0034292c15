import type { CollectorName } from './sample.ts';
import type { Snapshot } from './snapshot.ts';

/** What there is to show: the last complete sample, or why there is none. */
export type SamplingState =
  | { readonly kind: 'sampled'; readonly snapshot: Snapshot }
  | {
      readonly kind: 'failed';
      /** One line. */
      readonly reason: string;
      /** What sampled before the failure, and does not now. */
      readonly collectors: readonly { readonly netns: string; readonly collector: CollectorName }[];
    };

/** Namespaces of the last sample; none where there is no sample. */
export function namespacesOf(state: SamplingState): Snapshot['namespaces'] {
  return state.kind === 'sampled' ? state.snapshot.namespaces : [];
}
