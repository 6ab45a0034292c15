import type { DescribedListener } from '../snapshot/describedListener.ts';

/** Listeners in trouble first: by how full the queue is, then by what was dropped, then by connections. */
export function listenersOf(listeners: readonly DescribedListener[]): DescribedListener[] {
  return listeners.toSorted(
    (a, b) =>
      (queueRatioOf(b) ?? 0) - (queueRatioOf(a) ?? 0) ||
      (b.dropped ?? 0) - (a.dropped ?? 0) ||
      (b.connections ?? 0) - (a.connections ?? 0) ||
      a.port - b.port,
  );
}

/**
 * Share of the accept queue that waits. The kernel takes a connection as long as no more than the limit wait
 * (sk_acceptq_is_full, include/net/sock.h): one above the limit is 1 too. undefined where that cannot be known.
 */
export function queueRatioOf({ acceptQueue, acceptQueueLimit }: DescribedListener): number | undefined {
  if (acceptQueue === undefined || acceptQueueLimit === undefined) return undefined;
  if (acceptQueueLimit === 0) return acceptQueue > 0 ? 1 : 0;
  return Math.min(1, acceptQueue / acceptQueueLimit);
}
