import { readFileSync } from 'node:fs';
import { runningBelow } from '../../../e2e/support/processes.ts';
import type { Daemon } from '../../../e2e/support/program.ts';
import { parseExposition, type Series } from '../../../support/exposition.ts';

/** Looks at every sample of a daemon, as a scraper does, until it leaves. */
export class Visitor {
  readonly #daemon: Daemon;
  readonly #sampler: number;
  readonly #visit: Promise<void>;
  readonly #statuses = new Set<number | undefined>();
  /** When each was taken, and how long the sampler had waited for a processor until it was seen; in seconds. */
  readonly #samples: { at: number; waited: number }[] = [];
  readonly #ages: number[] = [];
  readonly #failed = new Set<string>();
  readonly #holders = new Map<string, Set<string>>();
  #last: readonly Series[] = [];
  #isLeaving = false;

  constructor(daemon: Daemon, intervalMs: number) {
    this.#daemon = daemon;
    this.#sampler = runningBelow(daemon.child.pid, 'sampler.js');
    this.#visit = this.#lookAround(intervalMs);
    // Told when it leaves.
    this.#visit.catch(() => {});
  }

  /** → what it saw. */
  async leave() {
    this.#isLeaving = true;
    await this.#visit;
    const gaps = this.#samples.slice(1).map(({ at, waited }, index) => {
      const before = this.#samples[index];
      return at - (before?.at ?? 0) - (waited - (before?.waited ?? 0));
    });
    return {
      statuses: [...this.#statuses],
      samples: this.#samples.length,
      /** Without the time in which the sampler waited for a processor, which the zoo takes from everybody. */
      longestGapSeconds: Math.max(...gaps),
      longestAgeSeconds: Math.max(...this.#ages),
      /** Namespace and collector. */
      failed: [...this.#failed],
      last: this.#last,
      /** What the processes that listen on this port are called, once they are found. */
      holdersOf: (port: number) => [...(this.#holders.get(String(port)) ?? [])].filter(Boolean),
    };
  }

  async #lookAround(intervalMs: number): Promise<void> {
    while (!this.#isLeaving) {
      const askedAt = Date.now();
      const { status, text } = await this.#daemon.get('/metrics');
      this.#statuses.add(status);
      if (status === 200) this.#see(parseExposition(text), askedAt);
      await new Promise((resolve) => setTimeout(resolve, intervalMs / 4));
    }
  }

  #see(series: readonly Series[], askedAt: number): void {
    this.#last = series;
    for (const { name, labels, value } of series) {
      if (name === 'port_exporter_sample_success' && value !== 1)
        this.#failed.add(`${labels['netns']} ${labels['collector']}`);
      if (name === 'port_listener_info') {
        const holders = this.#holders.get(labels['port'] ?? '') ?? new Set();
        this.#holders.set(labels['port'] ?? '', holders.add(labels['process'] ?? ''));
      }
      if (name !== 'port_exporter_sample_timestamp_seconds') continue;
      this.#ages.push(askedAt / 1000 - value);
      if (value !== this.#samples.at(-1)?.at)
        this.#samples.push({ at: value, waited: waitedFor(this.#sampler) });
    }
  }
}

/** Seconds that a process was runnable and did not run (`Documentation/scheduler/sched-stats.rst`, /proc/<pid>/schedstat). */
function waitedFor(pid: number): number {
  const [, waited] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ');
  return Number(waited) / 1e9;
}
