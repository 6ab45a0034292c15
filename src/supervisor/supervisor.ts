import { Worker } from 'node:worker_threads';
import { formatDuration } from '../base/duration.ts';
import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { SamplingOptions } from '../sampling/samplingOptions.ts';
import type { SamplingState } from '../snapshot/samplingState.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { WorkerMessage } from '../snapshot/workerMessage.ts';
import { CanaryReporter } from './canaryReporter.ts';
import { CollectorReporter } from './collectorReporter.ts';

/** A thread that samples. What lies behind it is messages, so that a test can be the thread. */
export interface SamplingThread {
  on(event: 'message', listener: (message: WorkerMessage) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  terminate(): Promise<unknown>;
}

/** Tells of a sample in the log. */
interface Reporter {
  report(snapshot: Snapshot): void;
}

/** Until the first message, which comes before the first sample. */
const START_WITHIN_MS = 20_000;
/** Wait before a dead thread is replaced: doubles with every death, and begins anew after a sample. */
const FIRST_BACK_OFF_MS = 1000;
const LONGEST_BACK_OFF_MS = 60_000;

/** Keeps a sampling thread alive and holds its last sample. */
export class Supervisor {
  readonly #startThread: () => SamplingThread;
  readonly #log: Logger;
  readonly #reporters: readonly Reporter[];
  #thread: SamplingThread | undefined;
  #state: SamplingState = { kind: 'failed', reason: 'no sample taken yet', collectors: [] };
  #deadline: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #backOffMs = FIRST_BACK_OFF_MS;
  readonly #firstSample: Promise<Snapshot>;
  /** Settles `#firstSample`; calls after the first do nothing. */
  #resolveFirst: (snapshot: Snapshot) => void = () => {};
  #rejectFirst: (error: ExporterError) => void = () => {};
  #hasSampled = false;
  readonly #observers: ((snapshot: Snapshot) => void)[] = [];

  constructor(startThread: () => SamplingThread, log: Logger) {
    this.#startThread = startThread;
    this.#log = log;
    this.#reporters = [new CollectorReporter(log), new CanaryReporter(log)];
    this.#firstSample = new Promise((resolve, reject) => {
      this.#resolveFirst = resolve;
      this.#rejectFirst = reject;
    });
  }

  /**
   * Starts sampling → the first sample. Rejects with an ExporterError where the first thread cannot sample at all; from
   * the first sample on a failure is a state, and the thread is replaced.
   */
  start(): Promise<Snapshot> {
    this.#begin();
    return this.#firstSample;
  }

  /** The last complete sample, or why there is none. */
  get state(): SamplingState {
    return this.#state;
  }

  /** Calls back with every sample from now on. */
  onSample(observer: (snapshot: Snapshot) => void): void {
    this.#observers.push(observer);
  }

  /** Ends the thread, or leaves it where it hangs in a system call. */
  stop(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#restart);
    this.#dropThread();
  }

  #begin(): void {
    let thread: SamplingThread;
    try {
      thread = this.#startThread();
    } catch (error) {
      this.#fail(`cannot start the sampling thread: ${errorLine(error)}`);
      return;
    }
    this.#thread = thread;
    this.#expectWithin(START_WITHIN_MS);
    const ifCurrent =
      <T>(act: (value: T) => void) =>
      (value: T): void => {
        if (this.#thread === thread) act(value);
      };
    thread.on(
      'message',
      ifCurrent((message: WorkerMessage) => this.#hear(message)),
    );
    thread.on(
      'error',
      ifCurrent((error: unknown) => this.#fail(`the sampling thread died: ${errorLine(error)}`)),
    );
    thread.on(
      'exit',
      ifCurrent((code: number) => this.#fail(`the sampling thread exited with code ${code}`)),
    );
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case 'log':
        this.#log[message.level](message.message, message.fields);
        return;
      case 'failed':
        this.#fail(message.reason);
        return;
      case 'sampled':
        this.#take(message.snapshot);
        break;
      case 'sampling':
        break;
    }
    this.#expectWithin(message.nextWithinMs);
  }

  #take(snapshot: Snapshot): void {
    this.#state = { kind: 'sampled', snapshot };
    this.#backOffMs = FIRST_BACK_OFF_MS;
    for (const reporter of this.#reporters) reporter.report(snapshot);
    this.#hasSampled = true;
    for (const observer of this.#observers) observer(snapshot);
    this.#resolveFirst(snapshot);
  }

  #expectWithin(milliseconds: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#fail(`the sampling thread hangs: no message for ${formatDuration(Math.round(milliseconds))}`);
    }, milliseconds);
  }

  /** Drops the thread and, once there was a sample, replaces it after a while. */
  #fail(reason: string): void {
    clearTimeout(this.#deadline);
    this.#dropThread();
    if (!this.#hasSampled) {
      this.#rejectFirst(new ExporterError(reason));
      return;
    }
    this.#state = { kind: 'failed', reason, collectors: collectorsOf(this.#state) };
    this.#log.error('sampling stopped', { reason, retry_in: formatDuration(this.#backOffMs) });
    this.#restart = setTimeout(() => this.#begin(), this.#backOffMs);
    this.#backOffMs = Math.min(this.#backOffMs * 2, LONGEST_BACK_OFF_MS);
  }

  /** Hears no more from the thread. One that hangs in a system call ends when that returns; nobody waits for it. */
  #dropThread(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    thread?.terminate().catch(() => {});
  }
}

function collectorsOf(state: SamplingState): Extract<SamplingState, { kind: 'failed' }>['collectors'] {
  if (state.kind === 'failed') return state.collectors;
  return state.snapshot.namespaces.flatMap(({ netns, outcomes }) =>
    outcomes.map(({ collector }) => ({ netns, collector })),
  );
}

/** A worker thread that runs worker.js beside this file. */
export function startWorker(settings: SamplingOptions): SamplingThread {
  return new Worker(new URL('../sampling/worker.js', import.meta.url), {
    workerData: settings,
    name: 'sampler',
  });
}
