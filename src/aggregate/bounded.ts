import type { SocketTotals } from '../kernel/sockstat.ts';
import type { SocketRecord } from '../sockets/record.ts';
import type { DroppedTotals } from './droppedTotals.ts';
import { type Regime, regime } from './exhaustion.ts';
import type { Limits } from './limits.ts';
import { Listeners, type ListenersSnapshot } from './listeners.ts';
import type { EphemeralRange } from './range.ts';

/** What is known of a namespace without a walk of its connections: upper bounds, and who listens. */
export interface EstimatedSnapshot {
  /** Of both TCP regimes: every open socket, and every TIME_WAIT, could hold a port towards the same destination. */
  readonly tcp: Regime;
  /** Of both UDP regimes. */
  readonly udp: Regime;
  readonly listeners: ListenersSnapshot;
}

/** The listeners of a namespace, and the kernel's counts of its sockets. */
export class EstimatedSockets {
  readonly #range: EphemeralRange;
  readonly #listeners: Listeners;

  constructor(range: EphemeralRange) {
    this.#range = range;
    this.#listeners = new Listeners(range.usable);
  }

  addListener(record: SocketRecord): void {
    this.#listeners.add(record);
  }

  summarise(totals: SocketTotals, limits: Limits, dropped?: DroppedTotals): EstimatedSnapshot {
    const usable = this.#range.usableCount;
    const { tcp, udp } = estimatesOf(totals);
    return {
      tcp: regime(usable - tcp, usable),
      udp: regime(usable - udp, usable),
      listeners: this.#listeners.snapshot(limits.listeners, undefined, dropped),
    };
  }
}

/**
 * Sockets that did only bind() are in no count but that of all open ones, whatever their family and protocol; orphans are
 * among them, and minisockets in FIN_WAIT2 among those in TIME_WAIT. Sockets that the kernel opens for itself without
 * holding the namespace (`sk_net_refcnt` 0: those of NFS mounts on many kernels) are not counted: one or two, if any.
 */
export function estimatesOf({ open, timeWait, udp }: SocketTotals): { tcp: number; udp: number } {
  return { tcp: open + timeWait, udp };
}
