import type { CollectorName, CollectorOutcome, Snapshot } from './snapshot.ts';

/**
 * Collectors whose failure costs names, or the sight of others, and no number of the own namespace: to be seen in
 * port_exporter_sample_success and no reason to call the exporter not ready.
 */
const COSTS_NO_NUMBER: ReadonlySet<CollectorName> = new Set(['enter', 'owners', 'processes']);

export function costsNumbers({ collector }: Pick<CollectorOutcome, 'collector'>): boolean {
  return !COSTS_NO_NUMBER.has(collector);
}

/** What failed of the own namespace and costs numbers. */
export function ownFailure({ namespaces }: Pick<Snapshot, 'namespaces'>): CollectorFailure | undefined {
  const [own] = namespaces;
  return own && failuresOf([own]).find(costsNumbers);
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
