import type { SnatExplained } from '../../src/aggregate/snatHolders.ts';
import type { SnatAnswered } from '../../src/reports/snatAnswered.ts';

/** 1000 ports, of which 900 are used in one block. */
export const EXPLAINED: SnatExplained = {
  ...{ protocol: 'tcp', natAddress: '198.51.100.1', remoteAddress: '203.0.113.7', remotePort: 443, zone: 0 },
  ...{ first: 2000, last: 2999 },
  used: { established: 200, timeWait: 650, other: 50 },
  ...{ available: 100, ratio: 0.9, refusalRatio: 0.448, spreadRefusalRatio: 1e-12 },
  holders: [
    ...[{ address: '10.0.0.5', isInbound: false, established: 150, timeWait: 600, other: 40, ports: 790 }],
    ...[{ address: '198.51.100.1', isInbound: false, established: 49, timeWait: 50, other: 10, ports: 109 }],
    ...[{ address: '10.0.0.9', isInbound: true, established: 1, timeWait: 0, other: 0, ports: 1 }],
  ],
  ...{ translated: 790, kept: 600, closing: 690, availableOutside: 63_512 },
  secondsLeft: [
    ...Array.from({ length: 100 }, () => 7),
    ...Array.from({ length: 600 }, () => 45),
    ...Array.from({ length: 200 }, () => 431_000),
  ],
  timeWaitSecondsLeft: [...Array.from({ length: 100 }, () => 7), ...Array.from({ length: 550 }, () => 70)],
};

export const TRACKED = { entries: 5000, limit: 262_144, insertFailed: 1234, timeWaitSeconds: 120 };

export function snatAnswered(more: Partial<SnatAnswered> = {}): SnatAnswered {
  return {
    ...{ netns: 'host', isAll: false, isNetnsNamed: false, netnsPath: undefined, wanted: undefined },
    tracked: TRACKED,
    addresses: new Set(['198.51.100.1']),
    explained: EXPLAINED,
    ...{ hasNat: true, others: [], otherCount: 0, rangePorts: 1000, exportedFrom: 250, notRead: [] },
    ...more,
  };
}
