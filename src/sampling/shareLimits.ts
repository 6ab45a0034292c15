import type { Limits } from '../aggregate/limits.ts';
import type { Results } from '../snapshot/results.ts';
import { fullResults, listenersOf, type NamespaceSample } from '../snapshot/sample.ts';

/** A sample of a namespace, with what tells whose it is. */
export type Named<T> = readonly [T, NamespaceSample];

interface Table<Row> {
  readonly total: number;
  readonly fullest: readonly Row[];
}

/**
 * The limits are limits for the host as a whole: of each table the fullest rows of all namespaces, and at least the
 * fullest one of every namespace.
 */
export function shareLimits<T>(samples: readonly Named<T>[], limits: Limits): Named<T>[] {
  const full = samples.map(([, sample]) => fullResults(sample));
  const destinations = keptRows(
    full.map(({ tcp }) => tcp?.destinations),
    limits.destinations,
    ({ ratio }) => ratio,
  );
  const ofProtocol = (protocol: 'tcp' | 'udp') => ({
    addresses: keptRows(
      full.map((results) => results[protocol]?.localAddresses),
      limits.localAddresses,
      ({ ratio }) => ratio,
    ),
    listeners: keptRows(
      samples.map(([, sample]) => listenersOf(sample, protocol)),
      limits.listeners,
      ({ acceptQueue = 0, connections = 0 }) => acceptQueue * 2 ** 32 + connections,
    ),
    owners: keptRows(
      full.map(({ owners }) => owners?.[protocol]),
      limits.owners,
      ({ ports }) => ports,
    ),
  });
  const snat = keptRows(
    samples.map(([, { results }]) => results.snat?.destinations),
    limits.snat,
    ({ ratio }) => ratio,
  );
  const [tcp, udp] = [ofProtocol('tcp'), ofProtocol('udp')];
  return samples.map(([identity, sample], index) => {
    const kept = (table: readonly number[]) => table[index];
    const { snat: behindNat } = sample.results;
    const sharedSnat = behindNat && {
      snat: { ...behindNat, destinations: cut(behindNat.destinations, kept(snat)) },
    };
    if (sample.detail === 'estimated') {
      const { tcp: estimated } = sample.results;
      const listeners = estimated && cut(estimated.listeners, kept(tcp.listeners));
      const sharedTcp = estimated && listeners && { tcp: { ...estimated, listeners } };
      return [identity, { ...sample, results: { ...sample.results, ...sharedTcp, ...sharedSnat } }];
    }
    const { results } = sample;
    const shared: Partial<Results> = {
      ...results,
      ...sharedSnat,
      ...(results.tcp && {
        tcp: {
          ...results.tcp,
          destinations: cut(results.tcp.destinations, kept(destinations)),
          localAddresses: cut(results.tcp.localAddresses, kept(tcp.addresses)),
          listeners: cut(results.tcp.listeners, kept(tcp.listeners)),
        },
      }),
      ...(results.udp && {
        udp: {
          ...results.udp,
          localAddresses: cut(results.udp.localAddresses, kept(udp.addresses)),
          listeners: cut(results.udp.listeners, kept(udp.listeners)),
        },
      }),
      ...(results.owners && {
        owners: {
          ...(results.owners.tcp && { tcp: cut(results.owners.tcp, kept(tcp.owners)) }),
          ...(results.owners.udp && { udp: cut(results.owners.udp, kept(udp.owners)) }),
        },
      }),
    };
    return [identity, { ...sample, results: shared }];
  });
}

/** How many rows each table keeps: they are sorted, fullest first, so the first so many. */
function keptRows<Row>(
  tables: readonly (Table<Row> | undefined)[],
  limit: number,
  fullness: (row: Row) => number,
): number[] {
  const kept: number[] = tables.map((table) => (limit > 0 && (table?.fullest.length ?? 0) > 0 ? 1 : 0));
  let left = limit - kept.reduce((sum, one) => sum + one, 0);
  const others = tables
    .flatMap((table, index) =>
      (table?.fullest ?? []).slice(1).map((row) => ({ index, score: fullness(row) })),
    )
    .toSorted((a, b) => b.score - a.score);
  for (const { index } of others) {
    if (left-- <= 0) break;
    kept[index] = (kept[index] ?? 0) + 1;
  }
  return kept;
}

function cut<Row, T extends Table<Row>>(table: T, rows: number | undefined): T {
  return { ...table, fullest: table.fullest.slice(0, rows) };
}
