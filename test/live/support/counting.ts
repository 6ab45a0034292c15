import { readlinkSync } from 'node:fs';
import { afterEach, expect } from 'vitest';
import type { Ending, RefusalDeltas } from '../../../src/refusals/deltas.ts';
import { openRefusals, type Refusals } from '../../../src/refusals/openRefusals.ts';

const opened = new Set<Refusals>();
afterEach(() => {
  for (const refusals of opened) refusals.close();
  opened.clear();
});

/** The kernel counts from now on, until the test ends. */
export function newRefusals(): Refusals {
  const refusals = openRefusals();
  opened.add(refusals);
  return refusals;
}

export const REFUSED = { protocol: 'tcp', scope: 'connect', kind: 'refused' } as const;
export const LOOKS_REFUSED = { ...REFUSED, kind: 'looks_refused' } as const;
export const GIVEN_UP = { kind: 'given_up' } as const;
export const failed = (error: string) => ({ kind: 'failed', error }) as const;

/** The inode number of the network namespace that this thread is in. */
export function hereInode(): number {
  return Number(/\d+/.exec(readlinkSync('/proc/thread-self/ns/net'))?.[0]);
}

/**
 * What was counted of a namespace since the last time: whatever else happens on the machine is no part of it. Holds all of
 * it to the sums that are promised.
 */
export function countedIn(refusals: Refusals, inode = hereInode()) {
  const deltas = refusals.drain();
  if (deltas !== undefined) expectWhole(deltas);
  const here = <T extends { readonly netns: number }>(all: readonly T[] = []) =>
    all.filter(({ netns }) => netns === inode);
  return {
    counts: here(deltas?.namespaces).map(({ ending, count }) => ({ ending, count })),
    destinations: here(deltas?.destinations),
    failures: here(deltas?.failures),
    owners: here(deltas?.owners),
    events: here(deltas?.events),
  };
}

/** Every kind of record adds up to the totals of the machine, with what is said to be lost. */
export function expectWhole({ host, lost, ...deltas }: RefusalDeltas): void {
  const sum = (all: readonly { readonly ending: Ending; readonly count: number }[], wanted = true) =>
    all.reduce((total, { ending, count }) => total + (isRefusal(ending) === wanted ? count : 0), 0);
  const [refused, others] = [sum(host), sum(host, false)];
  expect(sum(deltas.namespaces) + sum(deltas.namespaces, false) + lost.namespaces).toBe(refused + others);
  expect(sum(deltas.destinations) + lost.destinations).toBe(refused);
  expect(sum(deltas.owners) + lost.owners).toBe(refused);
  expect(sum(deltas.failures, false) + lost.failures).toBe(others);
  expect(deltas.interrupted).toEqual([]);
}

function isRefusal({ kind }: Ending): boolean {
  return kind === 'refused' || kind === 'looks_refused';
}
