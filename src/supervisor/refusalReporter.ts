import { endpoint } from '../base/endpoint.ts';
import type { Logger } from '../base/logger.ts';
import type { PortCall, RefusalEvent, RefusalReport } from '../snapshot/refusals.ts';

/** A burst is over when nothing was refused for so long. */
const BURST_ENDS_AFTER_MS = 60_000;
/** Bursts remembered at most: those of a namespace each. */
const BURSTS = 4096;
/** Lines in such a time: whoever may make namespaces may have calls refused in each. */
const LINES = 20;

/** Logs the first refusal of each burst, with who was refused, and what is counted. */
export class RefusalReporter {
  readonly #log: Logger;
  readonly #now: () => number;
  /** When calls of a kind were refused last, the longest ago first. */
  readonly #lastAtMs = new Map<string, number>();
  #said: string | undefined;
  #lines = 0;
  #linesSinceMs = Number.NEGATIVE_INFINITY;

  constructor(log: Logger, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  report(report: RefusalReport): void {
    this.#sayWhatIsCounted(report);
    for (const call of report.interruptions)
      this.#log.warn('some refused calls may not have been counted', { calls: call });
    for (const calls of report.refused) this.#refused(calls, calls, report.events, false);
    for (const calls of report.likely) this.#refused(calls, calls, report.events, true);
    const { namespaces, destinations, owners } = report.lost;
    if (namespaces + destinations + owners > 0)
      this.#log.warn('refused calls fit in no kernel table', { namespaces, destinations, owners });
  }

  #sayWhatIsCounted({ counted, obstacles }: RefusalReport): void {
    const said = JSON.stringify([counted, obstacles]);
    if (said === this.#said) return;
    this.#said = said;
    const unavailable = obstacles.length > 0 && { unavailable: obstacles.join('; ') };
    // Then the line on the source has said why.
    if (counted.length === 0) this.#log.debug('refused calls are not counted', { ...unavailable });
    else this.#log.info('counting refused calls', { calls: counted.map(nameOf).join(' '), ...unavailable });
  }

  #refused(
    { netns, count }: { readonly netns: string; readonly count: number },
    call: PortCall,
    events: readonly RefusalEvent[],
    isLikely: boolean,
  ): void {
    const key = `${nameOf(call)} ${netns}`;
    const lastAtMs = this.#lastAtMs.get(key);
    const nowMs = this.#now();
    this.#lastAtMs.delete(key);
    this.#lastAtMs.set(key, nowMs);
    const [oldest] = this.#lastAtMs.keys();
    if (this.#lastAtMs.size > BURSTS && oldest !== undefined) this.#lastAtMs.delete(oldest);
    if (lastAtMs !== undefined && nowMs - lastAtMs < BURST_ENDS_AFTER_MS) return;
    if (!this.#mayLog(nowMs)) return;
    const event = events.find(
      (one) =>
        one.netns === netns &&
        one.protocol === call.protocol &&
        one.scope === call.scope &&
        one.isLikely === isLikely,
    );
    this.#log.warn('the kernel refused a port', {
      ...{ netns, call: nameOf(call), refused: count },
      ...(event && whose(event)),
    });
  }

  #mayLog(nowMs: number): boolean {
    if (nowMs - this.#linesSinceMs >= BURST_ENDS_AFTER_MS) {
      this.#linesSinceMs = nowMs;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines === LINES + 1)
      this.#log.warn('calls are refused in more namespaces, no further lines for a minute');
    return this.#lines <= LINES;
  }
}

function nameOf({ protocol, scope }: PortCall): string {
  return `${protocol}_${scope}`;
}

function whose({ process, pid, owner, localAddress, remote }: RefusalEvent) {
  return {
    ...{ process, pid, owner, from: localAddress },
    ...(remote && { to: endpoint(remote.address, remote.port) }),
  };
}
