import { isDeepStrictEqual } from 'node:util';
import { monotonicMs } from '../kernel/clock.ts';
import type { ProbeOutcome } from './probe.ts';
import type { ProbeReporter } from './probeReporter.ts';
import type { ProbeTarget } from './target.ts';

/** What there is to show of probes. The same object for as long as nothing changes. */
export interface ProbeResults {
  /** How many targets there are, probed already or not. */
  readonly targets: number;
  /** The last outcome of each target that has one, in the order of the targets. */
  readonly probed: readonly Probed[];
}

export interface Probed {
  readonly target: ProbeTarget;
  readonly outcome: ProbeOutcome;
  /** When it ended, in milliseconds since the epoch: to be shown. */
  readonly timestampMs: number;
  /** The same by monotonicMs(). */
  readonly endedAtMs: number;
}

/** The most milliseconds until a target is probed for the first time. */
const LONGEST_START_MS = 60_000;

/**
 * Probes each target at its interval. The first time is a random one within the interval, so that many targets are spread
 * over it; then the interval is kept, and a probe that took longer skips what it missed: there are never two of a target.
 */
export class Prober {
  readonly #probe: (target: ProbeTarget) => Promise<ProbeOutcome>;
  readonly #reporter: ProbeReporter;
  #scheduled: ReadonlyMap<string, Scheduled> = new Map();
  #results: ProbeResults | undefined;

  constructor(probe: (target: ProbeTarget) => Promise<ProbeOutcome>, reporter: ProbeReporter) {
    this.#probe = probe;
    this.#reporter = reporter;
  }

  get results(): ProbeResults {
    this.#results ??= {
      targets: this.#scheduled.size,
      probed: [...this.#scheduled.values()].flatMap(({ last }) => last ?? []),
    };
    return this.#results;
  }

  /** From now on these and no others. Those that are unchanged go on as they are; the others' results are gone at once. */
  setTargets(targets: readonly ProbeTarget[]): void {
    const before = this.#scheduled;
    this.#scheduled = new Map(
      targets.map((target) => {
        const known = before.get(target.name);
        return [target.name, known && isDeepStrictEqual(known.target, target) ? known : { target }];
      }),
    );
    for (const scheduled of before.values()) {
      if (this.#isCurrent(scheduled)) continue;
      clearTimeout(scheduled.timer);
      this.#reporter.forget(scheduled.target.name);
    }
    this.#results = undefined;
  }

  /** Schedules the targets that are not yet. */
  start(): void {
    for (const scheduled of this.#scheduled.values()) {
      if (scheduled.timer !== undefined) continue;
      const delayMs = Math.random() * Math.min(scheduled.target.intervalMs, LONGEST_START_MS);
      this.#schedule(scheduled, performance.now() + delayMs);
    }
  }

  /** Probes each target once, now. */
  async probeAll(): Promise<void> {
    await Promise.all([...this.#scheduled.values()].map((scheduled) => this.#round(scheduled)));
  }

  stop(): void {
    this.setTargets([]);
  }

  #schedule(scheduled: Scheduled, dueAt: number): void {
    const { intervalMs } = scheduled.target;
    scheduled.timer = setTimeout(
      async () => {
        await this.#round(scheduled);
        if (!this.#isCurrent(scheduled)) return;
        const missed = Math.floor((performance.now() - dueAt) / intervalMs);
        this.#schedule(scheduled, dueAt + (missed + 1) * intervalMs);
      },
      Math.max(0, dueAt - performance.now()),
    );
  }

  async #round(scheduled: Scheduled): Promise<void> {
    const { target } = scheduled;
    const outcome = await this.#probe(target);
    if (!this.#isCurrent(scheduled)) return;
    scheduled.last = { target, outcome, timestampMs: Date.now(), endedAtMs: monotonicMs() };
    this.#results = undefined;
    this.#reporter.report(target, outcome);
  }

  #isCurrent(scheduled: Scheduled): boolean {
    return this.#scheduled.get(scheduled.target.name) === scheduled;
  }
}

interface Scheduled {
  readonly target: ProbeTarget;
  timer?: NodeJS.Timeout;
  last?: Probed;
}
