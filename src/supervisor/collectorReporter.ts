import type { Logger } from '../base/logger.ts';
import { costsNumbers } from '../snapshot/failure.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** Logs when a collector begins to fail, fails for another reason, and recovers; not at every sample. */
export class CollectorReporter {
  readonly #log: Logger;
  #failing: ReadonlyMap<string, string> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  report(snapshot: Snapshot): void {
    // Made anew each time: what a vanished namespace failed with goes with it.
    const failing = new Map<string, string>();
    for (const { netns, outcomes } of snapshot.namespaces) {
      for (const { collector, finds, seconds, error } of outcomes) {
        this.#log.debug('collected', { netns, collector, seconds: seconds.toFixed(6) });
        const key = `${netns} ${collector}`;
        if (error !== undefined) failing.set(key, error);
        if (error === this.#failing.get(key)) continue;
        if (error === undefined) this.#log.info('collector recovered', { netns, collector });
        // Where what is missing is names or privilege, the numbers go on.
        else
          this.#log[costsNumbers({ finds }) ? 'error' : 'warn']('collector failed', {
            netns,
            collector,
            error,
          });
      }
    }
    this.#failing = failing;
  }
}
