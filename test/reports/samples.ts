import type { Destination } from '../../src/aggregate/destinations.ts';
import type { Listener } from '../../src/aggregate/listeners.ts';
import type { SocketProcesses } from '../../src/owners/socketProcesses.ts';
import { destinationsReport, type OwnedDestination } from '../../src/reports/destinationsReport.ts';
import type { Explained } from '../../src/reports/explained.ts';
import { listenersReport } from '../../src/reports/listenersReport.ts';
import { printReport } from '../../src/reports/report.ts';
import type { DescribedListener } from '../../src/snapshot/describedListener.ts';
import type { DestinationOwner, NamedHolders } from '../../src/snapshot/owners.ts';
import { EMPTY_NAMESPACE, RICH_NAMESPACE } from '../metrics/snapshots.ts';
import { PIPE } from './reports.ts';

export const WEB: DescribedListener = {
  ...{ protocol: 'tcp', address: '0.0.0.0', port: 80, family: 4, ipv6Only: false, inEphemeralRange: false },
  ...{ acceptQueue: 3, acceptQueueLimit: 511, dropped: 4, connections: 12 },
  ...{ service: 'http', process: 'nginx', pid: 812, user: 'www-data', owner: 'nginx.service' },
};
export const UNKNOWN: DescribedListener = {
  ...{ protocol: 'udp', address: '::', port: 40_010, family: 6, ipv6Only: false, inEphemeralRange: true },
  ...{ acceptQueue: undefined, acceptQueueLimit: undefined, dropped: undefined, connections: undefined },
  ...{ service: '', process: '', pid: undefined, user: '', owner: '' },
};

export function listeners(all: readonly DescribedListener[], port?: number) {
  const matches = port === undefined ? undefined : (listener: DescribedListener) => listener.port === port;
  return listenersReport({ ...EMPTY_NAMESPACE, listeners: all }, { port, matches });
}

/** As a program reads it. */
export function json(report: Parameters<typeof printReport>[0]): Record<string, unknown> {
  return JSON.parse(printReport(report, true, PIPE));
}

export const OWNERS: DestinationOwner[] = [
  { owner: 'unattributed', established: 0, timeWait: 60, closeWait: 0, other: 0, ports: 60 },
  { owner: 'app.service', established: 22, timeWait: 0, closeWait: 5, other: 0, ports: 27 },
];
export const HOLDERS: NamedHolders = {
  owners: OWNERS,
  timeWaitLeftMs: [4000, 5000, 5001, 29_000, 60_000],
  inodes: new Map(),
};
export const DESTINATION: Destination = {
  ...{ localAddress: '192.0.2.10', remoteAddress: '203.0.113.7', remotePort: 443 },
  ...{ deviceIndex: 0, device: '' },
  ...{ used: { established: 22, timeWait: 60, other: 5 }, reclaimable: 0, available: 5, ratio: 90 / 95 },
};

export function destinations(
  rows: readonly OwnedDestination[],
  total: number,
  netns = 'host',
  wanted?: Parameters<typeof destinationsReport>[3],
) {
  return destinationsReport(netns, total, rows, wanted);
}

export function row(more: Partial<OwnedDestination> = {}): OwnedDestination {
  return { destination: DESTINATION, availableAtMost: DESTINATION.available, owners: OWNERS, ...more };
}

export const PROCESSES: SocketProcesses = {
  processes: [
    {
      ...{ pid: 30_656, process: 'checkout', user: 'app', sockets: 25 },
      commandLine: '/usr/bin/node /srv/checkout/server.js',
    },
  ],
  unknown: 2,
  refusal: 'needs CAP_SYS_PTRACE',
};

export function explained(more: Partial<Explained> = {}): Explained {
  const { netns } = RICH_NAMESPACE;
  const { tcp, udp, range } = RICH_NAMESPACE.results;
  const inRange = {
    ...tcp.listeners.fullest[0],
    address: '::',
    port: 40_010,
    inEphemeralRange: true,
  } as Listener;
  const listening = { ...tcp.listeners, fullest: [...tcp.listeners.fullest, inRange] };
  const whole = { ...tcp, listeners: listening };
  return {
    netns,
    isNetnsNamed: false,
    netnsPath: undefined,
    destination: DESTINATION,
    sourceAddresses: 1,
    holders: HOLDERS,
    processes: PROCESSES,
    worst: undefined,
    refused: undefined,
    elsewhere: [],
    snat: { layers: [], refusal: undefined },
    tcp: whole,
    udp,
    range,
    ...more,
  };
}

/** With nothing that is only inferred. */
export function certain(): Explained {
  const whole = explained();
  return {
    ...whole,
    tcp: { ...whole.tcp, blocked: { listener: 2, bound: 1, explicit: 0, inferred: 0, bucket: undefined } },
  };
}

export const NOBODY_CONNECTED = {
  destination: {
    ...{ localAddress: undefined, deviceIndex: 0, device: '', remoteAddress: '203.0.113.9', remotePort: 443 },
    ...{ used: { established: 0, timeWait: 0, other: 0 }, reclaimable: 0, available: 92, ratio: 1 - 92 / 95 },
  },
  holders: { owners: [], timeWaitLeftMs: [], inodes: new Map() },
  processes: { processes: [], unknown: 0, refusal: undefined },
  sourceAddresses: 0,
} as const;
