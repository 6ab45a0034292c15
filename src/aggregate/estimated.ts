import type { SocketTotals } from '../kernel/sockstat.ts';
import type { SocketRecord } from '../sockets/record.ts';
import type { DroppedTotals } from './droppedTotals.ts';
import { type Regime, regime } from './exhaustion.ts';
import type { Limits } from './limits.ts';
import { Listeners, type ListenersSnapshot } from './listeners.ts';
import type { EphemeralRange } from './range.ts';

/**
 * Both regimes of a protocol where connections were not read: the most that they can be, as if every open socket, and
 * every TIME_WAIT, held a port towards the same destination.
 */
export interface EstimatedRegimes {
  readonly connect: Regime;
  readonly bind: Regime;
}

/** What is known of TCP without a walk of the connections. */
export interface EstimatedTcp extends EstimatedRegimes {
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

  summarise(
    totals: SocketTotals,
    limits: Pick<Limits, 'listeners'>,
    dropped?: DroppedTotals,
  ): { readonly tcp: EstimatedTcp; readonly udp: EstimatedRegimes } {
    const usable = this.#range.usableCount;
    const { tcp, udp } = estimatedHolders(totals);
    return {
      tcp: {
        ...both(regime(usable - tcp, usable)),
        listeners: this.#listeners.snapshot(limits.listeners, undefined, dropped),
      },
      udp: both(regime(usable - udp, usable)),
    };
  }
}

/**
 * Most sockets of each protocol that can hold a port. Sockets that did only bind() are in no count but that of all open
 * ones, whatever their family and protocol; orphans are among them, and minisockets in FIN_WAIT2 among those in TIME_WAIT.
 * Sockets that the kernel opens for itself without holding the namespace (`sk_net_refcnt` 0: those of NFS mounts on many
 * kernels) are not counted: one or two, if any.
 */
export function estimatedHolders({ open, timeWait, udp }: SocketTotals): { tcp: number; udp: number } {
  return { tcp: open + timeWait, udp };
}

function both(regime: Regime): EstimatedRegimes {
  return { connect: regime, bind: regime };
}
