import { formatDuration } from '../base/duration.ts';
import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { monotonicMs } from '../kernel/clock.ts';
import type { SamplerMessage, SamplerUsage } from '../snapshot/samplerMessage.ts';
import type { SamplerProcessState, SamplingState } from '../snapshot/samplingState.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { RefusalLedger, type RefusalState } from '../status/refusalLedger.ts';
import { CanaryReporter } from './canaryReporter.ts';
import { CollectorReporter } from './collectorReporter.ts';
import { Deadline } from './deadline.ts';
import { RefusalReporter } from './refusalReporter.ts';
import type { SamplerProcess } from './samplerProcess.ts';

/** Tells of a sample in the log. */
interface Reporter {
  report(snapshot: Snapshot): void;
}

/** Until the first message, which comes before the first sample. */
const START_WITHIN_MS = 20_000;
/** Wait before a dead sampler is replaced: doubles with every death, and begins anew after a sample. */
const FIRST_BACK_OFF_MS = 1000;
const LONGEST_BACK_OFF_MS = 60_000;

/** Keeps a sampler alive and holds its last sample. */
export class Supervisor {
  readonly #startSampler: () => SamplerProcess;
  readonly #log: Logger;
  readonly #reporters: readonly Reporter[];
  #sampler: SamplerProcess | undefined;
  #state: SamplingState = { kind: 'failed', reason: 'no sample taken yet', collectors: [] };
  readonly #deadline = new Deadline(
    () => this.#sampler?.cpuUse(),
    (patience) => this.#fail(`the sampler hangs: no message for ${patience}`),
  );
  #restart: NodeJS.Timeout | undefined;
  #backOffMs = FIRST_BACK_OFF_MS;
  readonly #firstSample: Promise<Snapshot>;
  /** Settles `#firstSample`; calls after the first do nothing. */
  #resolveFirst: (snapshot: Snapshot) => void = () => {};
  #rejectFirst: (error: ExporterError) => void = () => {};
  #hasSampled = false;
  #usage: SamplerUsage | undefined;
  #restarts = 0;
  readonly #observers: ((snapshot: Snapshot) => void)[] = [];
  readonly #refusals = new RefusalLedger(monotonicMs);
  readonly #refusalReporter: RefusalReporter;

  constructor(startSampler: () => SamplerProcess, log: Logger) {
    this.#startSampler = startSampler;
    this.#log = log;
    this.#refusalReporter = new RefusalReporter(log, monotonicMs);
    this.#reporters = [new CollectorReporter(log), new CanaryReporter(log)];
    this.#firstSample = new Promise((resolve, reject) => {
      this.#resolveFirst = resolve;
      this.#rejectFirst = reject;
    });
  }

  /**
   * Starts sampling → the first sample. Rejects with an ExporterError where the first sampler cannot sample at all; from
   * the first sample on a failure is a state, and the sampler is replaced.
   */
  start(): Promise<Snapshot> {
    this.#begin();
    return this.#firstSample;
  }

  /** The last complete sample, or why there is none. */
  get state(): SamplingState {
    return this.#state;
  }

  /** What every sampler so far has told of refused calls. */
  get refusals(): RefusalState {
    return this.#refusals.state;
  }

  /** Calls back with every sample from now on. */
  onSample(observer: (snapshot: Snapshot) => void): void {
    this.#observers.push(observer);
  }

  /** Ends the sampler. */
  stop(): void {
    this.#deadline.clear();
    clearTimeout(this.#restart);
    this.#dropSampler();
  }

  #begin(): void {
    let sampler: SamplerProcess;
    try {
      sampler = this.#startSampler();
    } catch (error) {
      this.#fail(`cannot start the sampler: ${errorLine(error)}`);
      return;
    }
    this.#sampler = sampler;
    this.#deadline.expectWithin(START_WITHIN_MS);
    const ifCurrent =
      <T>(act: (value: T) => void) =>
      (value: T): void => {
        if (this.#sampler === sampler) act(value);
      };
    sampler.on(
      'message',
      ifCurrent((message: SamplerMessage) => this.#hear(message)),
    );
    sampler.on(
      'ended',
      ifCurrent((how: string) => this.#fail(`the sampler ${how}`)),
    );
  }

  #hear(message: SamplerMessage): void {
    switch (message.kind) {
      case 'log':
        this.#log[message.level](message.message, message.fields);
        return;
      case 'refused':
        this.#refusals.take(message.report);
        this.#refusalReporter.report(message.report);
        return;
      case 'failed':
        this.#fail(message.reason);
        return;
      case 'died':
        this.#fail(`the sampler died: ${message.reason}`);
        return;
      case 'sampled':
        this.#usage = message.usage;
        this.#take(message.snapshot);
        break;
      case 'sampling':
        break;
    }
    this.#deadline.expectWithin(message.nextWithinMs);
  }

  #take(snapshot: Snapshot): void {
    this.#state = { kind: 'sampled', snapshot, receivedAtMs: monotonicMs(), sampler: this.#samplerState() };
    this.#backOffMs = FIRST_BACK_OFF_MS;
    for (const reporter of this.#reporters) reporter.report(snapshot);
    this.#hasSampled = true;
    for (const observer of this.#observers) observer(snapshot);
    this.#resolveFirst(snapshot);
  }

  /** Drops the sampler and, once there was a sample, replaces it after a while. */
  #fail(reason: string): void {
    this.#deadline.clear();
    this.#dropSampler();
    if (!this.#hasSampled) {
      this.#rejectFirst(new ExporterError(reason));
      return;
    }
    const collectors = collectorsOf(this.#state);
    this.#state = { kind: 'failed', reason, collectors, sampler: this.#samplerState() };
    this.#log.error('sampling stopped', { reason, retry_in: formatDuration(this.#backOffMs) });
    this.#restart = setTimeout(() => {
      this.#restarts++;
      this.#begin();
    }, this.#backOffMs);
    this.#backOffMs = Math.min(this.#backOffMs * 2, LONGEST_BACK_OFF_MS);
  }

  #samplerState(): SamplerProcessState {
    return { usage: this.#usage, restarts: this.#restarts };
  }

  /** Hears no more from the sampler, and kills it: the kernel takes back all that it had. */
  #dropSampler(): void {
    const sampler = this.#sampler;
    this.#sampler = undefined;
    this.#refusals.interrupt();
    sampler?.kill();
  }
}

function collectorsOf(state: SamplingState): Extract<SamplingState, { kind: 'failed' }>['collectors'] {
  if (state.kind === 'failed') return state.collectors;
  return state.snapshot.namespaces.flatMap(({ netns, outcomes }) =>
    outcomes.map(({ collector }) => ({ netns, collector })),
  );
}
