import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

/**
 * SIGHUP reloads the configuration files, as Prometheus and its exporters do. One that comes before there is anything to
 * reload waits; several that come during a reload are one more.
 */
export class HangUps {
  readonly #log: Logger;
  #reload: (() => Promise<void>) | undefined;
  #wanted = false;
  #running = false;

  constructor(log: Logger) {
    this.#log = log;
    process.on('SIGHUP', () => {
      this.#wanted = true;
      this.#run();
    });
  }

  /** From now on this is what a SIGHUP does. */
  reloadWith(reload: () => Promise<void>): void {
    this.#reload = reload;
    this.#run();
  }

  #run(): void {
    if (!this.#wanted || this.#running || this.#reload === undefined) return;
    this.#wanted = false;
    this.#running = true;
    this.#reload()
      .catch((error: unknown) => this.#log.error('reload failed', { error: errorLine(error) }))
      .finally(() => {
        this.#running = false;
        this.#run();
      });
  }
}
