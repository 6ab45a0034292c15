import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Limits } from '../../src/aggregate/limits.ts';
import { shareLimits } from '../../src/sampling/shareLimits.ts';
import { fullResults, listenersOf, type NamespaceSample } from '../../src/snapshot/sample.ts';

/** Rows of one namespace's tables, by how full they are; fullest first, as samples have them. */
interface Tables {
  readonly isWhole: boolean;
  readonly destinations: readonly number[];
  readonly addresses: readonly number[];
  readonly listeners: readonly number[];
  readonly owners: readonly number[];
  readonly snat: readonly number[];
}

const rows = fc.array(fc.nat(9), { maxLength: 6 }).map((all) => all.toSorted((a, b) => b - a));
const anyTables: fc.Arbitrary<Tables> = fc.record({
  ...{ isWhole: fc.boolean(), destinations: rows, addresses: rows },
  ...{ listeners: rows, owners: rows, snat: rows },
});

function sampleOf({ isWhole, destinations, addresses, listeners, owners, snat }: Tables): NamespaceSample {
  const table = (scores: readonly number[], row: (score: number) => object) => ({
    // Some rows were left out already.
    total: scores.length + 2,
    fullest: scores.map(row),
  });
  const addressTable = table(addresses, (ratio) => ({ ratio }));
  const listenerTable = table(listeners, (connections) => ({ acceptQueue: 1, connections }));
  const full = {
    tcp: {
      destinations: table(destinations, (ratio) => ({ ratio })),
      localAddresses: addressTable,
      listeners: listenerTable,
    },
    udp: { localAddresses: addressTable, listeners: table([], () => ({})) },
    owners: { tcp: table(owners, (ports) => ({ ports })) },
    snat: { destinations: table(snat, (ratio) => ({ ratio })) },
  };
  return (isWhole
    ? { detail: 'full', results: full }
    : {
        detail: 'estimated',
        results: { tcp: { listeners: listenerTable }, snat: full.snat },
      }) as unknown as NamespaceSample;
}

/** One after the other the fullest row that is left, beginning with the first of each. */
function naively(tables: readonly (readonly number[])[], limit: number): number[][] {
  if (limit === 0) return tables.map(() => []);
  const kept = tables.map((scores) => scores.slice(0, 1));
  const size = () => kept.reduce((sum, scores) => sum + scores.length, 0);
  for (;;) {
    const next = tables
      .map((scores, index) => ({ index, score: scores[kept[index]?.length ?? 0] ?? -1 }))
      .toSorted((a, b) => b.score - a.score)[0];
    if (next === undefined || next.score < 0 || size() >= limit) return kept;
    kept[next.index]?.push(next.score);
  }
}

it('keeps the fullest rows of all namespaces, and the fullest one of each', () => {
  const limit = fc.nat(12);
  const anyLimits: fc.Arbitrary<Limits> = fc.record({
    ...{ destinations: limit, localAddresses: limit, listeners: limit, owners: limit, snat: limit },
  });
  fc.assert(
    fc.property(fc.array(anyTables, { maxLength: 6 }), anyLimits, (all, limits) => {
      const shared = shareLimits(
        all.map((tables, index) => [index, sampleOf(tables)]),
        limits,
      );
      expect(shared.map(([name]) => name)).toEqual(all.map((_, index) => index));
      const samples = shared.map(([, sample]) => fullResults(sample));
      const whole = (scores: (tables: Tables) => readonly number[]) =>
        all.map((tables) => (tables.isWhole ? scores(tables) : []));
      const expectKept = (
        found: readonly (readonly number[])[],
        wanted: readonly (readonly number[])[],
        most: number,
      ) => {
        // Among rows that are equally full any may be kept: what counts is how full the kept ones are.
        const sorted = (scores: readonly (readonly number[])[]) => scores.flat().toSorted((a, b) => b - a);
        expect(sorted(found)).toEqual(sorted(naively(wanted, most)));
        for (const [index, scores] of found.entries()) {
          expect(scores).toEqual(wanted[index]?.slice(0, scores.length));
          if (most > 0) expect(scores.length > 0).toBe((wanted[index]?.length ?? 0) > 0);
        }
      };
      expectKept(
        samples.map(({ tcp }) => tcp?.destinations.fullest.map(({ ratio }) => ratio) ?? []),
        whole(({ destinations }) => destinations),
        limits.destinations,
      );
      for (const protocol of ['tcp', 'udp'] as const) {
        expectKept(
          samples.map((sample) => sample[protocol]?.localAddresses.fullest.map(({ ratio }) => ratio) ?? []),
          whole(({ addresses }) => addresses),
          limits.localAddresses,
        );
      }
      expectKept(
        samples.map(({ owners }) => owners?.tcp?.fullest.map(({ ports }) => ports) ?? []),
        whole(({ owners }) => owners),
        limits.owners,
      );
      // Listeners are known of those that were not read whole, too: one limit for all.
      expectKept(
        shared.map(([, sample]) =>
          (listenersOf(sample, 'tcp')?.fullest ?? []).map(({ connections = 0 }) => connections),
        ),
        all.map(({ listeners }) => listeners),
        limits.listeners,
      );
      // So are ports behind a NAT.
      expectKept(
        shared.map(([, { results }]) => results.snat?.destinations.fullest.map(({ ratio }) => ratio) ?? []),
        all.map(({ snat }) => snat),
        limits.snat,
      );
      for (const [index, { tcp }] of samples.entries()) {
        if (tcp !== undefined)
          expect(tcp.destinations.total).toBe((all[index]?.destinations.length ?? 0) + 2);
      }
    }),
  );
});
