import { expect, it } from 'vitest';
import { ownFailure } from '../../src/snapshot/failure.ts';
import { namespacesOf } from '../sampling/fakes.ts';

it('what counts as a failure of the exporter is what fails of the own namespace', () => {
  expect(ownFailure(namespacesOf({}))).toBeUndefined();
  expect(
    ownFailure(namespacesOf({ host: { tcp: undefined }, blue: { tcp: 'a', enter: 'b' } })),
  ).toBeUndefined();
  expect(ownFailure(namespacesOf({ host: { tcp: undefined, enter: 'b' } }))).toBeUndefined();
  // Names are no numbers.
  expect(ownFailure(namespacesOf({ host: { owners: 'a', processes: 'b' } }))).toBeUndefined();
  expect(ownFailure(namespacesOf({ host: { tcp: undefined, owners: 'b' } }))).toBeUndefined();
  expect(ownFailure(namespacesOf({ host: { range: undefined, tcp: 'a', udp: 'b' } }))).toEqual({
    ...{ netns: 'host', collector: 'tcp', finds: 'numbers', error: 'a' },
  });
});
