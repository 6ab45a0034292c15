import { CONNTRACK_COUNTERS, type ConntrackCounts, type ConntrackCpu } from '../kernel/conntrackCounts.ts';

/** Connection tracking of one network namespace, as exported. */
export interface ConntrackSnapshot {
  readonly entries: number;
  /** undefined where there is none, or it is not shown. */
  readonly limit: number | undefined;
  /** Sums over all CPUs; undefined where they are not shown. */
  readonly totals: ConntrackCpu | undefined;
}

const NO_TOTALS: ConntrackCpu = { found: 0, insert_failed: 0, drop: 0, early_drop: 0 };
/** A u32 of the kernel begins anew here. */
const WRAP = 2 ** 32;

/**
 * Sums that only rise, of counters of 32 bits that each CPU has: `found` wraps within hours on a busy gateway, and Prometheus
 * would take that for a restart.
 */
export class ConntrackTotals {
  #before: readonly ConntrackCpu[] | undefined;
  #totals: ConntrackCpu = NO_TOTALS;
  #isUsed = false;

  /** undefined as long as nothing was ever tracked: the kernel has the numbers for every namespace, asked for or not. */
  update({ entries, limit, cpus }: ConntrackCounts): ConntrackSnapshot | undefined {
    const totals = cpus && this.#add(cpus);
    this.#isUsed ||= entries > 0 || CONNTRACK_COUNTERS.some((name) => (totals?.[name] ?? 0) > 0);
    return this.#isUsed ? { entries, limit, totals } : undefined;
  }

  #add(cpus: readonly ConntrackCpu[]): ConntrackCpu {
    // The number of possible CPUs does not change while a kernel runs.
    const before = this.#before?.length === cpus.length ? this.#before : undefined;
    this.#before = cpus;
    const rise = (name: keyof ConntrackCpu) =>
      cpus.reduce((sum, cpu, index) => sum + risen(before?.[index]?.[name] ?? 0, cpu[name]), 0);
    const totals = before === undefined ? NO_TOTALS : this.#totals;
    this.#totals = {
      found: totals.found + rise('found'),
      insert_failed: totals.insert_failed + rise('insert_failed'),
      drop: totals.drop + rise('drop'),
      early_drop: totals.early_drop + rise('early_drop'),
    };
    return this.#totals;
  }
}

/** No counter rises by half of its width between two samples: what seems to is one of a module that was loaded anew. */
function risen(before: number, now: number): number {
  const rise = (now - before + WRAP) % WRAP;
  return now < before && rise >= WRAP / 2 ? now : rise;
}
