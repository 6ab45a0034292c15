import type { NamespaceIdentity } from '../namespaces/labels.ts';
import type { SourceKind } from '../sockets/source.ts';
import type { DescribedListener } from './describedListener.ts';
import type { NamespaceSample } from './sample.ts';

/** One whole sample: plain data, because it crosses from the sampler to the one that serves it. */
export interface Snapshot {
  /** When it was complete, in milliseconds since the epoch: to be shown. */
  readonly timestampMs: number;
  /** The same by bootTimeMs(). */
  readonly completedAtMs: number;
  /** Wall time of the whole round. */
  readonly durationSeconds: number;
  /** From the start of this sample to that of the next, after the cost guard. */
  readonly intervalSeconds: number;
  /** What the flag says. */
  readonly configuredIntervalSeconds: number;
  readonly source: SourceKind;
  readonly namespaces: readonly NamespaceSnapshot[];
  /** Namespaces found, sampled or not. */
  readonly namespacesFound: number;
  /** Namespaces omitted because of the limit. */
  readonly namespacesOmitted: number;
  /** TCP connections of namespaces that were not found; undefined where that cannot be told. */
  readonly unlistedConnections: number | undefined;
}

/** One network namespace, its name, and who its listeners are. */
export type NamespaceSnapshot = NamespaceSample & {
  readonly identity: NamespaceIdentity;
  /** `identity.netns`. */
  readonly netns: string;
  /** The fullest of both protocols. */
  readonly listeners: readonly DescribedListener[];
};
