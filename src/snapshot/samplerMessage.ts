import type { RefusalReport } from './refusals.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * What the sampler says. Every message of its work says when the next one is due at the latest, so that a sampler that hangs is
 * told from one that waits.
 */
export type SamplerMessage =
  | { readonly kind: 'sampling'; readonly nextWithinMs: number }
  | {
      readonly kind: 'sampled';
      readonly nextWithinMs: number;
      readonly snapshot: Snapshot;
      readonly usage: SamplerUsage;
    }
  /** Told at any time. */
  | { readonly kind: 'refused'; readonly report: RefusalReport }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>> | undefined;
    }
  /** Nothing can be sampled; the sampler waits to be ended. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** A defect; the sampler ends. */
  | { readonly kind: 'died'; readonly reason: string };

/** What the sampler takes of the machine. */
export interface SamplerUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Open file descriptors; undefined where they could not be counted. */
  readonly descriptors: number | undefined;
}
