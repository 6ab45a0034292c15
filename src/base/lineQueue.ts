/** Writes what it can of `bytes` without waiting → how many; 0 where it would have to wait. Throws where it cannot. */
export type Attempt = (bytes: Uint8Array) => number;

/** How many bytes of lines may wait: some 2500 lines, a quarter of an hour at level debug, and little beside the heap. */
const WAITING_BYTES = 256 * 1024;
/** A pipe holds 64 KiB: a reader that keeps up gets 1.3 MB/s. */
const RETRY_MS = 50;
/** What failed, such as a full disk, is asked about less often. */
const RETRY_FAILED_MS = 1000;
/** Between two tries while the process waits for nothing else. */
const FLUSH_PAUSE_MS = 5;

interface Entry {
  /** What is left to write. */
  bytes: Uint8Array;
  /** Something of it was written: the rest follows, or the line would be half a line. */
  isBegun: boolean;
  /** How many lost lines it tells of; undefined for an ordinary line. */
  readonly tells: number | undefined;
}

/**
 * Lines on their way to somewhere that may be slow, stuck or full, and must not hold up who writes. Lines that would have to
 * wait do so, as many as fit into `waitingBytes`, and are then dropped; lines that fail are dropped at once, because what
 * is wrong with a full disk should show now. What is written are whole lines in their order, and in the place of dropped
 * ones a line that tells how many.
 */
export class LineQueue {
  readonly #attempt: Attempt;
  readonly #waitingBytes: number;
  #entries: Entry[] = [];
  #bytes = 0;
  #untold = 0;
  #dropped = 0;
  #retry: NodeJS.Timeout | undefined;
  /** The first line has to wait: none after it is tried. */
  #isWaiting = false;
  /** The line, with its newline, that tells how many were dropped; without it nothing tells. */
  tellDropped: ((lines: number) => string) | undefined;

  constructor(attempt: Attempt, waitingBytes = WAITING_BYTES) {
    this.#attempt = attempt;
    this.#waitingBytes = waitingBytes;
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @param line with its newline */
  write(line: string): void {
    const bytes = Buffer.from(line);
    // Once lines were dropped, half has to be free: a reader that is too slow gets long stretches, not every other line.
    const limit = this.#untold > 0 ? this.#waitingBytes / 2 : this.#waitingBytes;
    if (this.#bytes > 0 && this.#bytes + bytes.length > limit) {
      this.#untold++;
      this.#dropped++;
      return;
    }
    this.#tell();
    this.#push(bytes, undefined);
    if (!this.#isWaiting) this.#drain();
  }

  /** Waits until all is written, or nothing can be, but no longer than so many milliseconds. */
  flush(withinMs: number): void {
    const until = performance.now() + withinMs;
    while (this.#drain() === 'waits' && performance.now() < until) pause(FLUSH_PAUSE_MS);
  }

  #push(bytes: Uint8Array, tells: number | undefined): void {
    this.#entries.push({ bytes, isBegun: false, tells });
    this.#bytes += bytes.length;
  }

  #tell(): void {
    if (this.#untold === 0 || this.tellDropped === undefined) return;
    this.#push(Buffer.from(this.tellDropped(this.#untold)), this.#untold);
    this.#untold = 0;
  }

  #drain(): 'empty' | 'waits' | 'failed' {
    clearTimeout(this.#retry);
    this.#isWaiting = false;
    for (;;) {
      if (this.#entries.length === 0) this.#tell();
      if (this.#entries.length === 0) return 'empty';
      let written = 0;
      try {
        for (const entry of this.#entries) {
          if (!this.#finish(entry)) return 'waits';
          written++;
        }
      } catch {
        this.#drop(this.#entries.splice(written));
        return 'failed';
      } finally {
        this.#entries.splice(0, written);
      }
    }
  }

  /** Writes the rest of it → whether that could be done without waiting. */
  #finish(entry: Entry): boolean {
    while (entry.bytes.length > 0) {
      const count = this.#attempt(entry.bytes);
      if (count === 0) {
        this.#isWaiting = true;
        this.#again(RETRY_MS);
        return false;
      }
      entry.bytes = entry.bytes.subarray(count);
      entry.isBegun = true;
      this.#bytes -= count;
    }
    return true;
  }

  /** What waited, but for the rest of a line that was begun. */
  #drop([first, ...others]: readonly Entry[]): void {
    if (first?.isBegun === true) this.#entries.push(first);
    for (const { bytes, tells } of first?.isBegun === false ? [first, ...others] : others) {
      this.#bytes -= bytes.length;
      this.#untold += tells ?? 1;
      if (tells === undefined) this.#dropped++;
    }
    this.#again(RETRY_FAILED_MS);
  }

  #again(milliseconds: number): void {
    this.#retry = setTimeout(() => this.#drain(), milliseconds);
    // Nothing else stays for the log.
    this.#retry.unref();
  }
}

const sleeping = new Int32Array(new SharedArrayBuffer(4));

/** Waits on this thread: nothing else happens on it. */
function pause(milliseconds: number): void {
  Atomics.wait(sleeping, 0, 0, milliseconds);
}
