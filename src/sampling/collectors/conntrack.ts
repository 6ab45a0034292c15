import { type ConntrackSnapshot, ConntrackTotals } from '../../aggregate/conntrackTotals.ts';
import { AssumedPorts } from '../../aggregate/snatPorts.ts';
import { readConntrackCounts } from '../../kernel/conntrackCounts.ts';
import { NamespaceGone } from '../../namespaces/namespaceSwitcher.ts';
import type { Collector, NamespaceContext, OpenCollector } from './collector.ts';

/** What the kernel counts of tracked connections. */
export const conntrackCollector: Collector<'conntrack'> = {
  name: 'conntrack',
  finds: 'numbers',
  open: (namespace) => (namespace.conntrack === undefined ? undefined : new ConntrackCollector(namespace)),
};

/** There are many other namespaces, and some have to be entered: there counts stand for so long, unless they are high. */
const COUNTS_STAND_MS = 30_000;

class ConntrackCollector implements OpenCollector<'conntrack'> {
  readonly #namespace: NamespaceContext;
  readonly #totals = new ConntrackTotals();
  /** From so many entries on they are looked at in each sample: half of what makes a walk worth it. */
  readonly #many: number;
  #last: ConntrackSnapshot | undefined;
  #dueAtMs = Number.NEGATIVE_INFINITY;

  constructor(namespace: NamespaceContext) {
    this.#namespace = namespace;
    this.#many = new AssumedPorts(namespace.options.snatPorts).fewest / 8;
  }

  collect(): ConntrackSnapshot | undefined {
    const { inside, walkTurns } = this.#namespace;
    const now = performance.now();
    if (inside === undefined && walkTurns === undefined) return this.#read();
    if (now < this.#dueAtMs && (this.#last?.entries ?? 0) < this.#many) return this.#last;
    // Not all of them again in the same sample.
    this.#dueAtMs = now + COUNTS_STAND_MS * (0.5 + Math.random() / 2);
    this.#last = undefined;
    try {
      this.#last = inside === undefined ? this.#read() : inside(() => this.#read());
    } catch (error) {
      // Nobody is left to be counted.
      if (!(error instanceof NamespaceGone)) throw error;
    }
    return this.#last;
  }

  #read(): ConntrackSnapshot | undefined {
    const counts = readConntrackCounts(this.#namespace.options.procfs);
    return counts && this.#totals.update(counts);
  }
}
