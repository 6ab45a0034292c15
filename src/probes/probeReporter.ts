import { endpoint } from '../base/endpoint.ts';
import type { Logger } from '../base/logger.ts';
import type { ProbeOutcome } from './probe.ts';
import type { ProbeTarget } from './target.ts';

/** Lines of single targets within a window; what a thousand of them do at once is one line at its end. */
const MOST_LINES = 20;
const WINDOW_MS = 10_000;

/** Logs when a target begins to fail, fails for another reason, and recovers; not at every probe. */
export class ProbeReporter {
  readonly #log: Logger;
  readonly #windowMs: number;
  readonly #failing = new Map<string, string>();
  #lines = 0;
  #unsaid = { failed: 0, recovered: 0 };
  #window: NodeJS.Timeout | undefined;

  constructor(log: Logger, windowMs = WINDOW_MS) {
    this.#log = log;
    this.#windowMs = windowMs;
  }

  report(target: ProbeTarget, { failure, attempts }: ProbeOutcome): void {
    const { name } = target;
    const before = this.#failing.get(name);
    const now = failure && `${failure.reason} ${failure.error}`;
    if (now === before) return;
    if (now === undefined) this.#failing.delete(name);
    else this.#failing.set(name, now);
    if (this.#isTooMuch()) {
      this.#unsaid[failure === undefined ? 'recovered' : 'failed']++;
      return;
    }
    const fields = { target: name, endpoint: endpoint(target.host, target.port) };
    if (failure === undefined) {
      this.#log.info('probe recovered', fields);
      return;
    }
    const address = attempts.at(-1)?.address;
    const { reason, error } = failure;
    this.#log.warn('probe failed', { ...fields, address, reason, error });
  }

  /** A target that is no more. */
  forget(name: string): void {
    this.#failing.delete(name);
  }

  #isTooMuch(): boolean {
    this.#window ??= setTimeout(() => this.#endWindow(), this.#windowMs).unref();
    return ++this.#lines > MOST_LINES;
  }

  #endWindow(): void {
    const unsaid = this.#unsaid;
    this.#window = undefined;
    this.#lines = 0;
    this.#unsaid = { failed: 0, recovered: 0 };
    if (unsaid.failed + unsaid.recovered === 0) return;
    this.#log.warn('further probes changed', { ...unsaid, failing_now: this.#failing.size });
  }
}
