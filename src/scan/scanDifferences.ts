import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { ScannedPort } from './scan.ts';
import { plainAddress } from './scanTarget.ts';

/**
 * `unreachable`: somebody listens, but cannot be reached; `ipv6Only`: because it takes no IPv4. `noListener`: it answers,
 * but nobody listens here: NAT, or another network namespace.
 */
export type Difference = 'unreachable' | 'ipv6Only' | 'noListener';

/** A scanned port beside what the listener table says of it. */
export interface ComparedPort extends ScannedPort {
  /** Who listens on this port of this address. */
  readonly listener: DescribedListener | undefined;
  readonly difference: Difference | undefined;
}

/**
 * Whoever came or went during the scan makes no difference: it takes a listener in both tables to be unreachable, and
 * none in either to be nobody.
 *
 * @param before the listeners of this namespace when the scan began, `after` those when it was over
 */
export function compareWithListeners(
  scanned: readonly ScannedPort[],
  address: string,
  before: readonly DescribedListener[],
  after: readonly DescribedListener[],
): ComparedPort[] {
  const [first, last] = [before, after].map((listeners) => listenersByPort(listeners, plainAddress(address)));
  return scanned.map((result) => {
    const [then, now] = [first?.get(result.port), last?.get(result.port)];
    if (result.state !== 'open') {
      const difference = now?.takesIt ? 'unreachable' : 'ipv6Only';
      return { ...result, listener: now?.listener, difference: then && now ? difference : undefined };
    }
    const answering = [now, then].find((candidate) => candidate?.takesIt);
    return {
      ...result,
      listener: answering?.listener,
      difference: answering === undefined ? 'noListener' : undefined,
    };
  });
}

interface Candidate {
  readonly listener: DescribedListener;
  /** Connections to this address are its own. False for `::` with IPV6_V6ONLY and an IPv4 address. */
  readonly takesIt: boolean;
}

/** Of each port the one that the kernel would choose for `address`. */
function listenersByPort(
  listeners: readonly DescribedListener[],
  address: string,
): ReadonlyMap<number, Candidate> {
  const isIpv4 = !address.includes(':');
  const tcp = listeners.filter(({ protocol }) => protocol === 'tcp');
  const on = (wanted: string) => tcp.filter((listener) => listener.address === wanted);
  // Later ones replace earlier ones: the exact address stands above the wildcard, and IPv4 above IPv6.
  const rising = isIpv4 ? [...on('::'), ...on('0.0.0.0'), ...on(address)] : [...on('::'), ...on(address)];
  return new Map(
    rising.map((listener) => [listener.port, { listener, takesIt: !(isIpv4 && listener.ipv6Only) }]),
  );
}
