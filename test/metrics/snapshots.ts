import type { Limits } from '../../src/aggregate/limits.ts';
import type { Listener } from '../../src/aggregate/listeners.ts';
import { COLLECTORS } from '../../src/sampling/collectors/list.ts';
import type { DescribedListener } from '../../src/snapshot/describedListener.ts';
import type { OwnersSnapshot } from '../../src/snapshot/owners.ts';
import type { EstimatedResults, Results } from '../../src/snapshot/results.ts';
import type { CollectorName, FullSample } from '../../src/snapshot/sample.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import type { NamespaceSnapshot, Snapshot } from '../../src/snapshot/snapshot.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, tallyTcp, tallyUdp, type World } from '../aggregate/world.ts';

const { LISTEN, CLOSE, ESTABLISHED, TIME_WAIT } = TcpState;
const sysctls = sysctlsOf(40_000, 40_099, { reserved: [[40_050, 40_054]], twReuse: 1 });

const RICH: World = {
  sysctls,
  tcp: [
    { ...{ state: LISTEN, local: '0.0.0.0', localPort: 80 }, receiveQueue: 3, backlogLimit: 511, drops: 4 },
    { ...{ state: LISTEN, local: '::', localPort: 40_010 }, receiveQueue: 0, backlogLimit: 128, drops: 0 },
    { state: CLOSE, local: '10.0.0.1', localPort: 40_012 },
    { state: ESTABLISHED, local: '10.0.0.1', localPort: 80, remote: '192.0.2.7', remotePort: 5555 },
    ...to('203.0.113.1', 443, 40_000, 40_002, 40_001),
    ...to('203.0.113.2', 443, 40_000),
    ...to('203.0.113.3', 5432, 40_004),
    {
      ...{ state: TIME_WAIT, local: 'fd00::1', localPort: 40_006, remote: 'fd00::9', remotePort: 443 },
      timeWaitAgeMs: 5000,
    },
  ],
  udp: [
    { state: CLOSE, local: '0.0.0.0', localPort: 40_020 },
    { state: ESTABLISHED, local: '10.0.0.1', localPort: 40_022 },
    { state: ESTABLISHED, local: '10.0.0.2', localPort: 40_024 },
    { state: CLOSE, local: 'fd00::1', localPort: 40_026 },
    { state: CLOSE, local: '0.0.0.0', localPort: 53, drops: 7 },
    { state: CLOSE, local: '::', localPort: 5353, drops: 0 },
  ],
};
const EMPTY: World = { sysctls, tcp: [], udp: [] };

/** Two answers, one refusal, and a family that is switched off. */
const CANARY: Results['canary'] = (['tcp', 'udp'] as const).flatMap((protocol) => [
  {
    ...{ protocol, family: 'ipv4', succeeded: protocol === 'tcp', seconds: 0.000_01 },
    ...{ error: protocol === 'tcp' ? undefined : 'EADDRINUSE', calculated: 5 },
    ...{ disagrees: protocol === 'udp', disagreements: protocol === 'udp' ? 3 : 0 },
  },
  {
    ...{ protocol, family: 'ipv6', succeeded: undefined, seconds: undefined, error: 'EADDRNOTAVAIL' },
    ...{ calculated: 95, disagrees: false, disagreements: 0 },
  },
]);

const REGIME = { ratio: 0.5, available: 500, refusalRatio: 0.0078125, destinations: 2, peakRatio: 0.75 };
const SNAT: Results['snat'] = {
  ...{
    tcp: REGIME,
    udp: { ...REGIME, ratio: 0, available: 1000, refusalRatio: 0, destinations: 0 },
    rangePorts: 1000,
  },
  destinations: {
    total: 2,
    fullest: [
      {
        ...{
          protocol: 'tcp',
          natAddress: '198.51.100.1',
          remoteAddress: '192.0.2.1',
          remotePort: 443,
          zone: 0,
        },
        used: { established: 300, timeWait: 150, other: 50 },
        ...{ available: 500, ratio: 0.5, refusalRatio: 0.0078125 },
        clients: [{ address: '10.0.0.5', ports: 400 }],
      },
    ],
  },
};
const CONNTRACK: Results['conntrack'] = {
  ...{ entries: 1200, limit: 262_144 },
  totals: { found: 248, insert_failed: 1, drop: 2, early_drop: 3 },
};

/** One namespace with a bit of everything, and rows left out of every table. */
export const RICH_NAMESPACE = namespaceOf('host', RICH, {
  destinations: 2,
  localAddresses: 1,
  listeners: 1,
  owners: 1,
  snat: 1,
});
/** One with not a single socket. */
export const EMPTY_NAMESPACE = namespaceOf('host', EMPTY, {
  destinations: 20,
  localAddresses: 20,
  listeners: 20,
  owners: 20,
  snat: 20,
});

export function sampled(...namespaces: NamespaceSnapshot[]): SamplingState {
  const times = {
    timestampMs: 1_700_000_000_500,
    completedAtMs: 1_700_000_000_500,
    durationSeconds: 0.25,
    intervalSeconds: 5,
    configuredIntervalSeconds: 5,
  };
  const snapshot: Snapshot = {
    ...times,
    source: 'netlink',
    namespaces,
    namespacesFound: namespaces.length,
    namespacesOmitted: 0,
    unlistedConnections: undefined,
  };
  return { kind: 'sampled', snapshot, receivedAtMs: snapshot.completedAtMs };
}

/** A namespace that was read whole, and of which nothing failed. */
export type WholeNamespace = NamespaceSnapshot & FullSample & { readonly results: Results };

/** The namespace with other results; undefined: that collector did not succeed. */
export function withResults(
  namespace: WholeNamespace,
  changes: { readonly [Name in keyof Results]?: Results[Name] | undefined },
): NamespaceSnapshot & FullSample {
  const results = Object.entries({ ...namespace.results, ...changes }).filter(
    ([, result]) => result !== undefined,
  );
  return { ...namespace, results: Object.fromEntries(results) };
}

/** The namespace as it is where connections are not read: every regime of a protocol has its ratio. */
export function estimatedAt(
  { results, ...namespace }: WholeNamespace,
  { tcp, udp, listeners = results.tcp.listeners }: Estimates,
): NamespaceSnapshot {
  const regimes = ({ ratio, available }: Estimates['tcp']) => ({
    connect: { ratio, available },
    bind: { ratio, available },
  });
  return {
    ...namespace,
    detail: 'estimated',
    results: { range: results.range, tcp: { ...regimes(tcp), listeners }, udp: regimes(udp) },
  };
}

interface Estimates
  extends Readonly<Record<'tcp' | 'udp', { readonly ratio: number; readonly available: number }>> {
  readonly listeners?: EstimatedResults['tcp']['listeners'];
}

/** A namespace whose collectors in `names` failed this time. */
export function failing(namespace: WholeNamespace, ...names: readonly CollectorName[]): NamespaceSnapshot {
  const isThere = (name: CollectorName) => !names.includes(name);
  const { owners } = namespace.results;
  return {
    ...withResults(namespace, {
      ...Object.fromEntries(names.map((name) => [name, undefined])),
      ...(isThere('owners') && {
        owners: {
          ...(owners.tcp && isThere('tcp') && { tcp: owners.tcp }),
          ...(owners.udp && isThere('udp') && { udp: owners.udp }),
        },
      }),
      // Without a range the kernel is not asked.
      ...(!isThere('range') && { canary: undefined }),
    }),
    // What could not be described is not there, and what was not sampled has nobody to describe.
    listeners: namespace.listeners.filter(({ protocol }) => isThere('owners') && isThere(protocol)),
    outcomes: namespace.outcomes.map((outcome) =>
      names.includes(outcome.collector) ? { ...outcome, error: 'it went wrong' } : outcome,
    ),
    peaks: namespace.peaks.filter(({ protocol }) => !names.includes(protocol)),
  };
}

function namespaceOf(netns: string, world: World, limits: Limits): WholeNamespace {
  const tcp = tallyTcp(world, limits);
  const udp = tallyUdp(world, limits);
  const peak = (protocol: 'tcp' | 'udp', scope: 'connect' | 'bind') => ({ protocol, scope, ratio: 0.5 });
  return {
    netns,
    identity: { netns, inode: 4_026_531_840, process: 'systemd', container: '', podUid: '' },
    detail: 'full',
    sampledAtMs: 1_700_000_000_250,
    outcomes: COLLECTORS.map(({ name, finds }) => ({
      ...{ collector: name, finds, seconds: 0.125, error: undefined },
    })),
    results: {
      range: {
        ...{ first: 40_000, last: 40_099, reserved: 5, usable: 95, addable: 64_412 },
        leavesOneOut: false,
        timeWaitReuse: { mode: 1, timestamps: true, delayMs: 1000 },
      },
      tcp,
      udp,
      owners: {
        tcp: ownersOf(tcp.usedPorts, limits.owners),
        udp: ownersOf(udp.usedPorts, limits.owners),
      },
      canary: CANARY,
      conntrack: CONNTRACK,
      snat: SNAT,
    },
    listeners: [
      ...tcp.listeners.fullest.map((listener) => described('tcp', listener)),
      ...udp.listeners.fullest.map((listener) => described('udp', listener)),
    ],
    peaks: [peak('tcp', 'connect'), peak('tcp', 'bind'), peak('udp', 'connect'), peak('udp', 'bind')],
  };
}

function described(protocol: 'tcp' | 'udp', { sockets, ...listener }: Listener): DescribedListener {
  const isKnown = listener.port === 80;
  return {
    ...listener,
    protocol,
    service: isKnown ? 'http' : '',
    process: isKnown ? 'nginx' : '',
    pid: isKnown ? 812 : undefined,
    user: isKnown ? 'www-data' : '',
    owner: isKnown ? 'nginx.service' : '',
  };
}

/** All but one port are the first owner's. */
function ownersOf(usedPorts: number, limit: number): OwnersSnapshot {
  const all = [
    { owner: 'app.service', ports: usedPorts - 1 },
    { owner: 'unattributed', ports: Math.min(usedPorts, 1) },
  ].filter(({ ports }) => ports > 0);
  return { total: all.length, fullest: all.slice(0, limit) };
}

function to(remote: string, remotePort: number, ...ports: number[]): Sock[] {
  return ports.map((localPort) => ({ state: ESTABLISHED, local: '10.0.0.1', localPort, remote, remotePort }));
}
