import type { Logger } from '../base/logger.ts';
import { fullResults } from '../snapshot/sample.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** Logs, with the numbers, when the kernel begins to answer otherwise than estimated. */
export class CanaryReporter {
  readonly #log: Logger;
  #disagreeing: ReadonlySet<string> = new Set();

  constructor(log: Logger) {
    this.#log = log;
  }

  report(snapshot: Snapshot): void {
    const disagreeing = new Set<string>();
    for (const namespace of snapshot.namespaces) {
      const { netns } = namespace;
      const { range, canary = [] } = fullResults(namespace);
      for (const { protocol, family, disagrees, error, calculated, disagreements } of canary) {
        if (!disagrees) continue;
        const key = `${netns} ${protocol} ${family}`;
        disagreeing.add(key);
        if (this.#disagreeing.has(key)) continue;
        this.#log.warn('kernel disagrees with the calculation', {
          ...{ netns, protocol, family },
          kernel: error ?? 'gave a port',
          calculated_available_ports: calculated,
          usable_ports: range?.usable,
          disagreements,
        });
      }
    }
    this.#disagreeing = disagreeing;
  }
}
