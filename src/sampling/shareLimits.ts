import type { Limits } from '../aggregate/limits.ts';
import type { NamespaceSample } from '../snapshot/snapshot.ts';

type Named<T> = [T, NamespaceSample];
interface Table<Row> {
  readonly total: number;
  readonly fullest: readonly Row[];
}

/**
 * The limits are limits for the host as a whole: of each table the fullest rows of all namespaces, and at least the
 * fullest one of every namespace.
 */
export function shareLimits<T>(samples: readonly Named<T>[], limits: Limits): Named<T>[] {
  const destinations = keptRows(
    samples.map(([, { tcp }]) => tcp?.destinations),
    limits.destinations,
    ({ ratio }) => ratio,
  );
  const addresses = (['tcp', 'udp'] as const).map((protocol) =>
    keptRows(
      samples.map(([, sample]) => sample[protocol]?.localAddresses),
      limits.localAddresses,
      ({ ratio }) => ratio,
    ),
  );
  const listeners = (['tcp', 'udp'] as const).map((protocol) =>
    keptRows(
      samples.map(
        ([, sample]) => (sample[protocol] ?? (protocol === 'tcp' ? sample.bounds : undefined))?.listeners,
      ),
      limits.listeners,
      ({ acceptQueue = 0, connections = 0 }) => acceptQueue * 2 ** 32 + connections,
    ),
  );
  const owners = (['tcp', 'udp'] as const).map((protocol) =>
    keptRows(
      samples.map(([, sample]) => sample.owners[protocol]),
      limits.owners,
      ({ ports }) => ports,
    ),
  );
  return samples.map(([identity, sample], index) => [
    identity,
    {
      ...sample,
      bounds: sample.bounds && {
        ...sample.bounds,
        listeners: cut(sample.bounds.listeners, listeners[0]?.[index]),
      },
      tcp: sample.tcp && {
        ...sample.tcp,
        destinations: cut(sample.tcp.destinations, destinations[index]),
        localAddresses: cut(sample.tcp.localAddresses, addresses[0]?.[index]),
        listeners: cut(sample.tcp.listeners, listeners[0]?.[index]),
      },
      udp: sample.udp && {
        ...sample.udp,
        localAddresses: cut(sample.udp.localAddresses, addresses[1]?.[index]),
        listeners: cut(sample.udp.listeners, listeners[1]?.[index]),
      },
      owners: {
        tcp: sample.owners.tcp && cut(sample.owners.tcp, owners[0]?.[index]),
        udp: sample.owners.udp && cut(sample.owners.udp, owners[1]?.[index]),
      },
    },
  ]);
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
