import { ExporterError, errorCode } from '../base/errors.ts';
import { bpfBlobFile, readBpfBlob } from '../kernel/bpfBlob.ts';
import { expectBpf, whyRefused } from '../kernel/bpfRefusal.ts';
import type { Libc } from '../kernel/libc.ts';
import { RegimeCounter, type RegimeDeltas } from './regimeCounter.ts';
import type { CountingBlob, Regime } from './regimes.ts';

/** How long it is waited before what was counted once, and cannot be now, is tried again. */
const RETRY_MS = 10_000;

/** One regime: counted, or the reason why not. Nothing here throws for what the kernel does. */
export class RegimeSlot {
  readonly #blob: CountingBlob;
  readonly #libc: Libc;
  readonly #sysfs: string;
  readonly #now: () => number;
  #counter: RegimeCounter | undefined;
  #reason: string | undefined;
  /** undefined where it never could be counted: then it is not tried again. */
  #retryAtMs: number | undefined;

  constructor(blob: CountingBlob, libc: Libc, sysfs: string, now: () => number = () => performance.now()) {
    this.#blob = blob;
    this.#libc = libc;
    this.#sysfs = sysfs;
    this.#now = now;
    this.#open();
  }

  get regime(): Regime {
    return this.#blob.regime;
  }

  /** Why it is not counted; undefined where it is. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Whether anything was counted. If so it is ready to be emptied after a grace period, and what happens now is not part of it. */
  turnIfCounted(): boolean {
    return (
      this.#try((counter) => {
        if (!counter.hasCounted()) return false;
        counter.turn();
        return true;
      }) === true
    );
  }

  /** undefined where the kernel failed: what was counted is lost then. */
  empty(startMs: number): RegimeDeltas | undefined {
    return this.#try((counter) => counter.empty(startMs));
  }

  /** Ends the counting until repair(). */
  fail(error: ExporterError): void {
    this.#counter?.close();
    this.#counter = undefined;
    this.#reason = error.message;
    this.#retryAtMs = this.#now();
  }

  /** Begins anew where it was counted and is not any more → whether something may be missing since the last time. */
  repair(): boolean {
    const isAttached = this.#try((counter) => counter.isAttached);
    if (isAttached === true) return false;
    if (isAttached === false) this.fail(new ExporterError('somebody detached the programs'));
    if (this.#retryAtMs === undefined || this.#now() < this.#retryAtMs) return false;
    this.#open();
    this.#retryAtMs = this.#now() + RETRY_MS;
    return true;
  }

  close(): void {
    this.#counter?.close();
    this.#counter = undefined;
    this.#retryAtMs = undefined;
    this.#reason = 'closed';
  }

  #open(): void {
    try {
      expectBpf(this.#sysfs);
      this.#counter = new RegimeCounter(this.#blob, readBpfBlob(bpfBlobFile(this.#blob.file)), this.#libc);
      this.#reason = undefined;
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      this.#reason = NOT_TRACED.get(errorCode(error)) ?? whyRefused(error, this.#sysfs).message;
    }
  }

  #try<T>(act: (counter: RegimeCounter) => T): T | undefined {
    if (this.#counter === undefined) return undefined;
    try {
      return act(this.#counter);
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      this.fail(error);
      return undefined;
    }
  }
}

/** What the kernel says of a function that it has not, or cannot trace (ENOTSUPP of `include/linux/errno.h`, which no errno is). */
const NOT_TRACED: ReadonlyMap<string | undefined, string> = new Map([
  ['ENOENT', 'the kernel has no such function'],
  ['errno 524', 'the kernel cannot trace functions'],
]);
