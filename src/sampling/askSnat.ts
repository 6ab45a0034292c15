import { release } from 'node:os';
import { type FullSnatDestination, type SnatDestination, SnatTables } from '../aggregate/snat.ts';
import { type SnatExplained, SnatHolders } from '../aggregate/snatHolders.ts';
import type { SnatKey } from '../aggregate/snatKeys.ts';
import type { AssumedPorts } from '../aggregate/snatPorts.ts';
import { evictsClosing } from '../aggregate/snatRefusals.ts';
import { SnatTowards } from '../aggregate/snatTowards.ts';
import type { TrackedNamespace } from './trackedNamespaces.ts';

/** Each takes a millisecond. */
const LOOKED_AT = 256;
/** Each takes a megabyte while the table is walked. */
const EXPLAINED = 8;

/** The fullest destinations behind a NAT of a namespace. */
export interface WorstSnat {
  /** Those that drop most packets first; of equal ones the fullest. */
  readonly destinations: readonly FullSnatDestination[];
  /** Destinations there are. */
  readonly total: number;
}

/** Throws an ExporterError where tracked connections cannot be read. */
export function worstSnat(namespace: TrackedNamespace, assumed: AssumedPorts): WorstSnat {
  const tables = new SnatTables(assumed);
  // The first walk finds the NAT addresses.
  for (const isFirst of [true, false]) {
    tables.begin();
    namespace.walk((record) => tables.add(record));
    if (isFirst && tables.addresses === 0) return { destinations: [], total: 0 };
  }
  const { fullest, total } = tables.summarise(LOOKED_AT, evictsClosing(release())).destinations;
  return { destinations: fullest.toSorted(worstFirst), total };
}

/** A key that was looked at, and how it belongs to the destination that was asked for. */
export interface SnatTowardsExplained {
  readonly explained: SnatExplained;
  /** Connections of the asked clients that have it. */
  readonly ofClients: number;
}

export interface SnatFound {
  /** Those that drop most packets first. */
  readonly keys: readonly SnatTowardsExplained[];
  /** Keys there are. */
  readonly total: number;
  /** Whether any connection is translated, whichever its destination. */
  readonly hasNat: boolean;
}

export interface SnatQuestion {
  /** As whoever connects names it. */
  readonly destination: { readonly address: string; readonly port: number };
  /** Where any of their connections is tracked, only its keys are of interest. */
  readonly clients?: readonly string[];
  readonly protocols?: readonly SnatKey['protocol'][];
}

/** Of the keys of one destination those with most connections. Throws an ExporterError where they cannot be read. */
export function snatTowards(
  namespace: TrackedNamespace,
  { destination, clients, protocols }: SnatQuestion,
  assumed: AssumedPorts,
): SnatFound {
  const towards = new SnatTowards(destination, clients, protocols);
  namespace.walk((record) => towards.add(record));
  const found = towards.found();
  const isKnown = found.some(({ ofClients }) => ofClients > 0);
  const relevant = found.filter(({ ofClients }) => !isKnown || ofClients > 0);
  const shown = relevant.slice(0, EXPLAINED);
  const all = explainSnat(
    namespace,
    shown.map(({ key }) => key),
    assumed,
  );
  const keys = all.map((explained, index) => ({ explained, ofClients: shown[index]?.ofClients ?? 0 }));
  return {
    keys: keys.toSorted((a, b) => worstFirst(a.explained, b.explained)),
    total: relevant.length,
    hasNat: towards.addresses > 0,
  };
}

/** What holds the ports of these keys, in their order, from one walk. Throws an ExporterError where it cannot be read. */
export function explainSnat(
  namespace: TrackedNamespace,
  keys: readonly SnatKey[],
  assumed: AssumedPorts,
): SnatExplained[] {
  if (keys.length === 0) return [];
  const holders = keys.map(
    (key) =>
      new SnatHolders(
        key,
        assumed.of(() => key.natAddress),
      ),
  );
  namespace.walk((record) => {
    for (const one of holders) one.add(record);
  });
  return holders.map((one) => one.summarise(evictsClosing(release())));
}

export function worstFirst(
  a: Pick<SnatDestination, 'ratio' | 'refusalRatio'>,
  b: Pick<SnatDestination, 'ratio' | 'refusalRatio'>,
): number {
  return b.refusalRatio - a.refusalRatio || b.ratio - a.ratio;
}
