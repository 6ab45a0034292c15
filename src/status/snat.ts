import type { FullSnatDestination } from '../aggregate/snat.ts';
import type { Results, SnatSnapshot } from '../snapshot/results.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import { type Level, severityOf } from './level.ts';

// How near a NAT is to losing packets. Fill alone does not tell: the kernel gives up before the last port is taken.

/** near: people should look. exhausted: packets vanish. */
export type NatLevel = Extract<Level, 'ok' | 'near' | 'exhausted'>;

/** Above this share of new packets that find no port the NAT counts as exhausted. Alerts take the same. */
export const MOST_REFUSED = 0.01;
/** Above this share of the range, which ports that are neighbours are refused from, it is near. */
export const NEAR_RATIO = 0.5;
/** Above this share of its limit the table of connections is near. */
export const NEAR_TABLE_RATIO = 0.9;

/** NAT and connection tracking of one namespace. */
export interface NatStatus {
  /** What is nearest to losing packets; undefined where nothing is known to limit them. */
  readonly worst: NatWorst | undefined;
  /** undefined where no connection is translated, or that is not read. */
  readonly ports: SnatSnapshot | undefined;
  /** undefined where connections are not tracked. */
  readonly table: NatTable | undefined;
}

/** The table of tracked connections. */
export interface NatTable {
  readonly entries: number;
  /** undefined where there is no limit, or it is not shown; then there is no ratio either. */
  readonly limit: number | undefined;
  /** 0 to 1. */
  readonly ratio: number | undefined;
  readonly level: NatLevel;
}

export type NatWorst = FullTable | FullPorts;

interface FullTable {
  readonly kind: 'table';
  readonly level: NatLevel;
  readonly ratio: number;
  readonly entries: number;
  readonly limit: number;
}

interface FullPorts {
  readonly kind: 'ports';
  readonly level: NatLevel;
  readonly protocol: FullSnatDestination['protocol'];
  /** Used ports of the fullest destination's range. */
  readonly ratio: number;
  /** Of the destination below; where that is not known the least of all. */
  readonly available: number;
  /** The largest share of new packets that find no port, towards any destination. */
  readonly refusalRatio: number;
  /** Which destination its level comes from; undefined where limits leave it out. */
  readonly destination: FullSnatDestination | undefined;
}

/** undefined where there is neither a NAT nor connection tracking. */
export function natOf({ results }: Pick<NamespaceSnapshot, 'results'>): NatStatus | undefined {
  const { snat: ports, conntrack } = results;
  if (ports === undefined && conntrack === undefined) return undefined;
  const table = conntrack && tableOf(conntrack);
  // A table that is full loses packets to every destination: it leads where both are as bad.
  const candidates = [...fullTable(table), ...fullPorts(ports)].toSorted(
    (a, b) => severityOf(b.level) - severityOf(a.level),
  );
  return { worst: candidates[0], ports, table };
}

export function natLevelOf({
  ratio,
  refusalRatio,
}: {
  readonly ratio: number;
  readonly refusalRatio: number;
}): NatLevel {
  if (refusalRatio > MOST_REFUSED) return 'exhausted';
  return ratio > NEAR_RATIO ? 'near' : 'ok';
}

function tableOf({ entries, limit }: Results['conntrack']): NatTable {
  if (limit === undefined) return { entries, limit, ratio: undefined, level: 'ok' };
  // Entries that are being made count for a moment, too: there may be more than the limit.
  const ratio = Math.min(1, entries / limit);
  return {
    entries,
    limit,
    ratio,
    level: ratio >= 1 ? 'exhausted' : ratio > NEAR_TABLE_RATIO ? 'near' : 'ok',
  };
}

function fullTable(table: NatTable | undefined): FullTable[] {
  if (table?.limit === undefined || table.ratio === undefined) return [];
  const { entries, limit, ratio, level } = table;
  return [{ kind: 'table', level, ratio, entries, limit }];
}

/** Both protocols, the one that loses more first. */
function fullPorts(ports: SnatSnapshot | undefined): FullPorts[] {
  if (ports === undefined) return [];
  return (['tcp', 'udp'] as const)
    .filter((protocol) => ports[protocol].destinations > 0)
    .map((protocol): FullPorts => {
      const { ratio, available, refusalRatio } = ports[protocol];
      const level = natLevelOf(ports[protocol]);
      const own = ports.destinations.fullest.filter((one) => one.protocol === protocol);
      const destination = own.find((one) =>
        level === 'exhausted' ? one.refusalRatio === refusalRatio : one.ratio === ratio,
      );
      // Ranges differ by NAT address: the fewest free ports need not be those of the fullest.
      const left = destination?.available ?? available;
      return { kind: 'ports', level, protocol, ratio, available: left, refusalRatio, destination };
    })
    .toSorted((a, b) => b.refusalRatio - a.refusalRatio || b.ratio - a.ratio);
}
