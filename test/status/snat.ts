import type { FullSnatDestination } from '../../src/aggregate/snat.ts';
import type { Results } from '../../src/snapshot/results.ts';
import type { FullSample } from '../../src/snapshot/sample.ts';
import type { NamespaceSnapshot } from '../../src/snapshot/snapshot.ts';
import { EMPTY_NAMESPACE, withResults } from '../metrics/snapshots.ts';

const RANGE = 1000;

/** Of a range of 1000 ports. */
export function destinationOf({
  ratio,
  refusalRatio = 0,
  ...key
}: {
  readonly ratio: number;
  readonly refusalRatio?: number;
} & Partial<FullSnatDestination>): FullSnatDestination {
  const used = Math.round(RANGE * ratio);
  return {
    ...{ protocol: 'tcp', natAddress: '198.51.100.1', remoteAddress: '192.0.2.1', remotePort: 443, zone: 0 },
    used: { established: used, timeWait: 0, other: 0 },
    ...{ available: RANGE - used, ratio, refusalRatio },
    clients: [{ address: '10.0.0.5', ports: used }],
    ...key,
  };
}

export function tableOf(entries: number, limit: number | undefined): Results['conntrack'] {
  return { entries, limit, totals: undefined };
}

/** A namespace where nobody uses a port, which translates the connections of others. */
export function natNamespace(
  netns: string,
  fullest: readonly FullSnatDestination[],
  conntrack = tableOf(1000, 262_144),
): NamespaceSnapshot & FullSample {
  const regimeOf = (wanted: FullSnatDestination['protocol']) => {
    const own = fullest.filter(({ protocol }) => protocol === wanted);
    const ratio = Math.max(0, ...own.map((one) => one.ratio));
    return {
      ...{ ratio, peakRatio: ratio, destinations: own.length },
      available: Math.min(RANGE, ...own.map(({ available }) => available)),
      refusalRatio: Math.max(0, ...own.map(({ refusalRatio }) => refusalRatio)),
    };
  };
  const snat = {
    ...{ tcp: regimeOf('tcp'), udp: regimeOf('udp'), rangePorts: RANGE },
    destinations: { total: fullest.length, fullest: fullest.toSorted((a, b) => b.ratio - a.ratio) },
  };
  return withResults({ ...EMPTY_NAMESPACE, netns }, { snat, conntrack });
}
