import type { RefusalEvent, RefusalReport } from '../../src/snapshot/refusals.ts';

export const EVENT: RefusalEvent = {
  ...{ protocol: 'tcp', scope: 'connect', netns: 'host', isLikely: false },
  atMs: new Date(2026, 2, 4, 14, 3, 22, 117).getTime(),
  ...{ pid: 4711, process: 'curl', owner: 'web.service', localAddress: '10.0.0.5' },
  remote: { address: '10.0.0.9', port: 443 },
};

export const BIND: RefusalEvent = {
  ...EVENT,
  ...{ scope: 'bind', netns: 'web', process: 'named', pid: 12, owner: 'dns.service' },
  ...{ localAddress: '::1', remote: undefined },
};

export const ALL_CALLS = [
  { protocol: 'tcp', scope: 'connect' },
  { protocol: 'tcp', scope: 'bind' },
  { protocol: 'udp', scope: 'connect' },
  { protocol: 'udp', scope: 'bind' },
] as const;

/** One in which nothing happened, but for what is given. */
export function report(more: Partial<RefusalReport> = {}): RefusalReport {
  return {
    ...{ counted: ALL_CALLS, obstacles: [], refused: [], likely: [], failures: [], destinations: [] },
    ...{ destinationFailures: [], owners: [], events: [], interruptions: [] },
    lost: { namespaces: 0, destinations: 0, failures: 0, owners: 0 },
    leftOut: 0,
    ...more,
  };
}

/** TCP connect() calls to 10.0.0.9, of which the last is EVENT. */
export function refusedConnects(count: number, remotePort = 443): RefusalReport {
  const { netns, localAddress } = EVENT;
  return report({
    refused: [{ protocol: 'tcp', scope: 'connect', netns, count }],
    destinations: [{ netns, localAddress, remoteAddress: '10.0.0.9', remotePort, count }],
    events: [{ ...EVENT, remote: { address: '10.0.0.9', port: remotePort } }],
  });
}

/** TCP bind() calls in another namespace, of which the last is BIND. */
export function refusedBinds(count: number): RefusalReport {
  return report({
    refused: [{ protocol: 'tcp', scope: 'bind', netns: 'web', count }],
    events: [BIND],
  });
}
