import type { Destination } from '../aggregate/destinations.ts';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';

type Numbers = Pick<Destination, 'used' | 'reclaimable' | 'available'>;

/**
 * Ports that a destination holds and that bind() holds as well: unblocking them gives it nothing. Most are inferred ones: a
 * connection rarely shares its port with a listener.
 */
export function heldBlocked({ used, reclaimable, available }: Numbers, { capacity }: TcpSnapshot): number {
  return Math.max(0, heldBy(used) - reclaimable - (capacity - available));
}

export function heldBy({ established, timeWait, other }: Destination['used']): number {
  return established + timeWait + other;
}

/**
 * connect() calls that succeed if none of the ports that are inferred to be blocked is: if every connection in the half
 * that bind(address, 0) takes first belongs to a destination that was past its own half before, which one reading cannot
 * know.
 */
export function availableAtMost(destination: Numbers, tcp: TcpSnapshot): number {
  const { inferred = 0, explicit = 0 } = tcp.blocked;
  const heldInferred = Math.max(0, heldBlocked(destination, tcp) - explicit);
  return destination.available + Math.max(0, inferred - heldInferred);
}
