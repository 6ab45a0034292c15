import { formatDuration } from '../base/duration.ts';
import type { CpuUse } from '../owners/processStat.ts';

/** A timer that comes so late shows that this process was stopped, or hardly let run. */
const LATE_MS = 1000;
/** A sampler that got all but so much of its time was not starved. */
const STARVED_MS = 500;
/** The longest that a sampler may run, by what it was given: one in an endless loop must not profit from a busy machine. */
const MOST_PATIENCE = 3;

/**
 * When the next message of a sampler is due. It counts neither time in which the machine slept (CLOCK_MONOTONIC, by which timers
 * run, stands still) nor such in which this process was stopped or the sampler waited for a processor.
 */
export class Deadline {
  readonly #cpuUse: () => CpuUse | undefined;
  readonly #onMissed: (patience: string) => void;
  #patienceMs = 0;
  #waitUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Immediate | undefined;

  /**
   * @param cpuUse of the sampler
   * @param onMissed `patience`: how long it was waited, `10s`
   */
  constructor(cpuUse: () => CpuUse | undefined, onMissed: (patience: string) => void) {
    this.#cpuUse = cpuUse;
    this.#onMissed = onMissed;
  }

  /** Takes the place of what was expected before. */
  expectWithin(milliseconds: number): void {
    this.#patienceMs = milliseconds;
    this.#waitUntilMs = performance.now() + MOST_PATIENCE * milliseconds;
    this.#wait(milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#look);
  }

  #wait(milliseconds: number): void {
    this.clear();
    const before = this.#cpuUse()?.milliseconds;
    const dueAt = performance.now() + milliseconds;
    this.#timer = setTimeout(() => {
      // The sampler was stopped too, or starved.
      if (performance.now() - dueAt > LATE_MS) this.#wait(milliseconds);
      // In a turn of the event loop timers come before messages, of which some may be unread.
      else this.#look = setImmediate(() => this.#judge(before, milliseconds));
    }, milliseconds);
  }

  /** Whoever waits for a processor, and got less of it than it had time, does not hang. */
  #judge(cpuMsBefore: number | undefined, milliseconds: number): void {
    const now = this.#cpuUse();
    const usedMs = (now?.milliseconds ?? 0) - (cpuMsBefore ?? 0);
    const missingMs = now?.isRunnable ? milliseconds - usedMs : 0;
    const leftMs = this.#waitUntilMs - performance.now();
    if (missingMs >= STARVED_MS && leftMs > 0) this.#wait(Math.min(missingMs, leftMs));
    else this.#onMissed(formatDuration(Math.round(this.#patienceMs)));
  }
}
