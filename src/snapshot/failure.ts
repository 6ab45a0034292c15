import type { CollectorOutcome } from './sample.ts';
import type { Snapshot } from './snapshot.ts';

/** A collector that failed. */
export interface CollectorFailure extends Pick<CollectorOutcome, 'collector' | 'finds'> {
  readonly netns: string;
  /** One line. */
  readonly error: string;
}

/** Every collector that failed, whichever namespace's. */
export function failuresOf({ namespaces }: Pick<Snapshot, 'namespaces'>): CollectorFailure[] {
  return namespaces.flatMap(({ netns, outcomes }) =>
    outcomes.flatMap(({ collector, finds, error }) =>
      error === undefined ? [] : [{ netns, collector, finds, error }],
    ),
  );
}

/** What failed of the own namespace and costs numbers. */
export function ownFailure({ namespaces }: Pick<Snapshot, 'namespaces'>): CollectorFailure | undefined {
  return failuresOf({ namespaces: namespaces.slice(0, 1) }).find(costsNumbers);
}

/** Whether numbers are missing where this fails. */
export function costsNumbers({ finds }: Pick<CollectorOutcome, 'finds'>): boolean {
  return finds === 'numbers';
}
