import type { Snapshot } from './snapshot.ts';

/**
 * What the sampling thread says. Every message says when the next one is due at the latest, so that a thread that hangs
 * is told from one that waits.
 */
export type WorkerMessage =
  | { readonly kind: 'sampling'; readonly nextWithinMs: number }
  | { readonly kind: 'sampled'; readonly nextWithinMs: number; readonly snapshot: Snapshot }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>> | undefined;
    }
  /** Nothing can be sampled; the thread ends. */
  | { readonly kind: 'failed'; readonly reason: string };
