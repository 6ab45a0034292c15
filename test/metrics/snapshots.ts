import type { NamespaceSnapshot, Snapshot } from '../../src/sampler/snapshot.ts';
import type { SamplingState } from '../../src/sampler/state.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, tallyTcp, tallyUdp, type World } from '../aggregate/world.ts';

const { LISTEN, CLOSE, ESTABLISHED, TIME_WAIT } = TcpState;
const sysctls = sysctlsOf(40_000, 40_099, { reserved: [[40_050, 40_054]], twReuse: 1 });

const RICH: World = {
  sysctls,
  tcp: [
    { state: LISTEN, local: '0.0.0.0', localPort: 80 },
    { state: LISTEN, local: '::', localPort: 40_010 },
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
  ],
};
const EMPTY: World = { sysctls, tcp: [], udp: [] };

/** One namespace with a bit of everything, and rows left out of both tables. */
export const RICH_NAMESPACE = namespaceOf('host', RICH, { destinations: 2, localAddresses: 1 });
/** One with not a single socket. */
export const EMPTY_NAMESPACE = namespaceOf('host', EMPTY, { destinations: 20, localAddresses: 20 });

export function sampled(...namespaces: NamespaceSnapshot[]): SamplingState {
  const times = { timestampMs: 1_700_000_000_500, durationSeconds: 0.25, intervalSeconds: 5 };
  const snapshot: Snapshot = { ...times, source: 'netlink', namespaces };
  return { kind: 'sampled', snapshot };
}

/** A namespace whose collectors in `names` failed this time. */
export function failing(
  namespace: NamespaceSnapshot,
  ...names: readonly ('range' | 'tcp' | 'udp')[]
): NamespaceSnapshot {
  const without = Object.fromEntries(names.map((name) => [name, undefined]));
  return {
    ...namespace,
    ...without,
    collectors: namespace.collectors.map((outcome) =>
      names.includes(outcome.collector) ? { ...outcome, error: 'it went wrong' } : outcome,
    ),
    peaks: namespace.peaks.filter(({ protocol }) => !names.includes(protocol)),
  };
}

function namespaceOf(
  netns: string,
  world: World,
  limits: { destinations: number; localAddresses: number },
): NamespaceSnapshot {
  const tcp = tallyTcp(world, limits);
  const udp = tallyUdp(world, limits.localAddresses);
  const peak = (protocol: 'tcp' | 'udp', scope: 'connect' | 'bind') => ({ protocol, scope, ratio: 0.5 });
  return {
    netns,
    collectors: (['range', 'tcp', 'udp'] as const).map((collector) => ({
      collector,
      seconds: 0.125,
      error: undefined,
    })),
    range: { first: 40_000, last: 40_099, reserved: 5, usable: 95 },
    tcp,
    udp,
    peaks: [peak('tcp', 'connect'), peak('tcp', 'bind'), peak('udp', 'connect'), peak('udp', 'bind')],
  };
}

function to(remote: string, remotePort: number, ...ports: number[]): Sock[] {
  return ports.map((localPort) => ({ state: ESTABLISHED, local: '10.0.0.1', localPort, remote, remotePort }));
}
