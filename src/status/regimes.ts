import { boundFirst } from '../aggregate/blockedPorts.ts';
import type { LocalAddressesSnapshot } from '../aggregate/localAddresses.ts';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';
import { onDevice } from '../base/endpoint.ts';
import type { Protocol } from '../snapshot/protocol.ts';
import { fullResults, type Scope } from '../snapshot/sample.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';

/** The four ways to be given a port, and what an application sees when there is none. */
export const REGIMES = [
  { protocol: 'tcp', scope: 'connect', error: 'EADDRNOTAVAIL' },
  { protocol: 'tcp', scope: 'bind', error: 'EADDRINUSE' },
  { protocol: 'udp', scope: 'connect', error: 'EAGAIN' },
  { protocol: 'udp', scope: 'bind', error: 'EADDRINUSE' },
] as const satisfies readonly { protocol: Protocol; scope: Scope; error: string }[];

/** One of the four at its worst key. */
export interface RegimeStatus {
  readonly protocol: Protocol;
  readonly scope: Scope;
  /** errno of a call that is refused. */
  readonly error: string;
  /** Somebody is known to make such calls. Nearly every program calls connect(); bind(address, 0) shows by what it leaves. */
  readonly isCalled: boolean;
  /** undefined where it was not sampled. */
  readonly numbers: RegimeNumbers | undefined;
}

export interface RegimeNumbers {
  /** 0 nobody uses a port, 1 the next call fails. */
  readonly ratio: number;
  readonly available: number;
  /** Certain ones, where some ports may be blocked or not. */
  readonly availableAtLeast?: number;
  readonly usable: number;
  /** Not every socket was read: `ratio` is the most it can be, and `available` the least. */
  readonly isEstimated: boolean;
  /** Highest ratio of the peak window. */
  readonly peak: number | undefined;
  readonly worst: WorstKey;
}

/** Which key the numbers are of. */
export type WorstKey =
  | { readonly kind: 'destination'; readonly from: string; readonly to: string; readonly port: number }
  | { readonly kind: 'address'; readonly address: string }
  /** No key is worse than one that nobody uses yet. */
  | { readonly kind: 'any' }
  /** Not told: limits leave it out, or not every socket was read. */
  | { readonly kind: 'unknown' };

/** What does not change is found once: of 500 namespaces it is most of what a page costs. */
const found = new WeakMap<NamespaceSnapshot, readonly RegimeStatus[]>();

/** Always all four, in the order of REGIMES. */
export function regimesOf(namespace: NamespaceSnapshot): readonly RegimeStatus[] {
  const known = found.get(namespace);
  if (known !== undefined) return known;
  const regimes = REGIMES.map((regime) => ({
    ...regime,
    isCalled: isCalled(namespace, regime),
    numbers: numbersOf(namespace, regime),
  }));
  found.set(namespace, regimes);
  return regimes;
}

/**
 * Sockets that did bind() to port 0: connections by their bind bucket or the parity of their port, bound-only ones of any port. In UDP connect()
 * is never better off than bind(), so that nothing depends on it there.
 */
function isCalled(
  namespace: NamespaceSnapshot,
  { protocol, scope }: Pick<RegimeStatus, 'protocol' | 'scope'>,
): boolean {
  if (scope === 'connect') return true;
  const { tcp } = fullResults(namespace);
  return protocol === 'tcp' && tcp !== undefined && boundFirst(tcp.blocked) + (tcp.blocked.bound ?? 0) > 0;
}

function numbersOf(
  namespace: NamespaceSnapshot,
  { protocol, scope }: { readonly protocol: Protocol; readonly scope: Scope },
): RegimeNumbers | undefined {
  const { range } = namespace.results;
  if (range === undefined) return undefined;
  const peak = namespace.peaks.find((one) => one.protocol === protocol && one.scope === scope)?.ratio;
  const rest = { usable: range.usable, peak } as const;
  if (namespace.detail === 'estimated') {
    const estimated = namespace.results[protocol]?.[scope];
    return estimated && { ...estimated, ...rest, isEstimated: true, worst: UNKNOWN };
  }
  const { tcp } = namespace.results;
  const sampled = namespace.results[protocol];
  if (sampled === undefined) return undefined;
  const regime = sampled[scope];
  const worst =
    scope === 'bind' ? worstAddress(sampled.localAddresses, regime) : worstDestination(tcp, regime);
  return {
    ...regime,
    ...rest,
    isEstimated: false,
    worst: protocol === 'udp' && scope === 'connect' ? ANY : worst,
  };
}

const ANY: WorstKey = { kind: 'any' };
const UNKNOWN: WorstKey = { kind: 'unknown' };

function worstDestination(tcp: TcpSnapshot | undefined, { available }: { available: number }): WorstKey {
  if (tcp === undefined || available === tcp.capacity) return ANY;
  const [worst] = tcp.destinations.fullest;
  if (worst?.available !== available) return UNKNOWN;
  const { localAddress, device, remoteAddress: to, remotePort: port } = worst;
  return { kind: 'destination', from: onDevice(localAddress, device), to, port };
}

/** An address that holds ports may still leave no fewer than wildcard holders take from every address. */
function worstAddress(
  { total, fullest }: LocalAddressesSnapshot,
  { available }: { available: number },
): WorstKey {
  const [worst] = fullest;
  if (worst?.available === available)
    return { kind: 'address', address: onDevice(worst.localAddress, worst.device) };
  return worst === undefined && total > 0 ? UNKNOWN : ANY;
}
