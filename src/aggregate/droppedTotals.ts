/** A socket of a listener, and how much it has dropped since it was opened; -1 where the source does not tell. */
export interface SocketDrops {
  /** Tells sockets apart. */
  readonly id: number;
  readonly drops: number;
}

/**
 * What each listener has dropped, as a counter that only rises while the listener lives. The kernel counts for each socket,
 * and what a socket counted goes with it: where several share an address (SO_REUSEPORT), or a service opens its socket
 * anew between two samples, their sum falls, and Prometheus would take that for a restart and count drops that never
 * happened.
 *
 * Only listeners that have dropped something are remembered: every other one begins with 0 anyway.
 */
export class DroppedTotals {
  #listeners: ReadonlyMap<string, Dropped> = new Map();

  /**
   * One whole sample. A listener that is not in it is gone, and begins anew should it come back.
   *
   * @param listeners by a key of their own, with all of their sockets
   * @returns the total of each, in their order; undefined where a socket's drops are unknown
   */
  update(
    listeners: readonly (readonly [key: string, sockets: readonly SocketDrops[]])[],
  ): (number | undefined)[] {
    const next = new Map<string, Dropped>();
    const totals = listeners.map(([key, sockets]) => {
      if (sockets.some(({ drops }) => drops < 0)) return undefined;
      const before = this.#listeners.get(key);
      // Nearly every listener, in every sample.
      if (before === undefined && sockets.every(({ drops }) => drops === 0)) return 0;
      const dropped = advance(before, sockets);
      const total = dropped.closed + sum(dropped.open.values());
      if (total > 0) next.set(key, dropped);
      return total;
    });
    this.#listeners = next;
    return totals;
  }
}

interface Dropped {
  /** By sockets that are closed by now. */
  readonly closed: number;
  /** By open ones, by their ids. */
  readonly open: ReadonlyMap<number, number>;
}

function advance(before: Dropped | undefined, sockets: readonly SocketDrops[]): Dropped {
  const open = new Map(sockets.map(({ id, drops }) => [id, drops]));
  let closed = before?.closed ?? 0;
  for (const [id, drops] of before?.open ?? []) {
    const now = open.get(id);
    // A count that fell is another socket's, to which the number was given again (inodes of /proc/net).
    if (now === undefined || now < drops) closed += drops;
  }
  return { closed, open };
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
