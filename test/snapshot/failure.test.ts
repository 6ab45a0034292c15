import { expect, it } from 'vitest';
import { ownFailure } from '../../src/snapshot/failure.ts';
import type { CollectorName } from '../../src/snapshot/sample.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { outcomeOf } from '../sampling/fakes.ts';

type Outcomes = Partial<Record<CollectorName, string | undefined>>;

/** Namespaces by name, the own one first, with what their collectors failed with. */
function snapshotOf(namespaces: Readonly<Record<string, Outcomes>>): Snapshot {
  return {
    namespaces: Object.entries(namespaces).map(([netns, outcomes]) => ({
      netns,
      outcomes: Object.entries(outcomes).map(([collector, error]) => outcomeOf(collector, error)),
    })),
  } as unknown as Snapshot;
}

it('what counts as a failure of the exporter is what fails of the own namespace', () => {
  expect(ownFailure(snapshotOf({}))).toBeUndefined();
  expect(
    ownFailure(snapshotOf({ host: { tcp: undefined }, blue: { tcp: 'a', enter: 'b' } })),
  ).toBeUndefined();
  expect(ownFailure(snapshotOf({ host: { tcp: undefined, enter: 'b' } }))).toBeUndefined();
  // Names are no numbers.
  expect(ownFailure(snapshotOf({ host: { owners: 'a', processes: 'b' } }))).toBeUndefined();
  expect(ownFailure(snapshotOf({ host: { tcp: undefined, owners: 'b' } }))).toBeUndefined();
  expect(ownFailure(snapshotOf({ host: { range: undefined, tcp: 'a', udp: 'b' } }))).toEqual({
    ...{ netns: 'host', collector: 'tcp', finds: 'numbers', error: 'a' },
  });
});
