import type { CollectorOutcome, Snapshot } from './snapshot.ts';

/** What failed of the own namespace. That others cannot be found or entered is not among it: it takes privilege. */
export function ownFailure({ namespaces }: Pick<Snapshot, 'namespaces'>): CollectorFailure | undefined {
  const [own] = namespaces;
  return own && failuresOf([own]).find(({ collector }) => collector !== 'enter');
}

/** Every collector that failed, whichever namespace's. */
function failuresOf(namespaces: Snapshot['namespaces']): CollectorFailure[] {
  return namespaces.flatMap(({ netns, collectors }) =>
    collectors.flatMap(({ collector, error }) => (error === undefined ? [] : [{ netns, collector, error }])),
  );
}

export interface CollectorFailure extends Pick<CollectorOutcome, 'collector'> {
  readonly netns: string;
  readonly error: string;
}
