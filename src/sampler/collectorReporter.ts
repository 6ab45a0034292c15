import type { Logger } from '../base/logger.ts';
import type { Snapshot } from './snapshot.ts';

/** Says in the log when a collector begins to fail, fails for another reason, and works again; not at every sample. */
export class CollectorReporter {
  readonly #log: Logger;
  readonly #failing = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  report(snapshot: Snapshot): void {
    for (const { netns, collectors } of snapshot.namespaces) {
      for (const { collector, error } of collectors) {
        const key = `${netns} ${collector}`;
        if (error === this.#failing.get(key)) continue;
        if (error === undefined) {
          this.#failing.delete(key);
          this.#log.info('collector works again', { netns, collector });
        } else {
          this.#failing.set(key, error);
          this.#log.error('collector failed', { netns, collector, error });
        }
      }
    }
  }
}
