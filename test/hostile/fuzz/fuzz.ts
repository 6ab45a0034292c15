import { runInThisContext } from 'node:vm';
import { ExporterError } from '../../../src/base/errors.ts';
import { Coverage } from './coverage.ts';
import { Dice, mutated } from './mutate.ts';
import type { Target } from './targets.ts';

/** No input may take longer, or allocate more; what is far beyond is ended. */
const MOST_MS = 200;
const MOST_BYTES = 30 * 2 ** 20;
const END_AFTER_MS = 2000;
/** Reading the counters takes as long as hundreds of inputs: first those of many together. */
const BATCH = 256;
const LONGEST = 4096;

/** An input that should not have come to that. */
export interface Finding {
  readonly input: Uint8Array;
  readonly what: string;
}

export interface Fuzzed {
  readonly inputs: number;
  /** Those that ran something new, in the order they were found. */
  readonly added: readonly Uint8Array[];
  readonly finding: Finding | undefined;
}

/** Mutates the corpus of a target, and keeps what runs code that nothing ran before, until `isOver` or a finding. */
export async function fuzz(
  target: Target,
  corpus: readonly Uint8Array[],
  { seed, isOver }: { seed: number; isOver: (inputs: number) => boolean },
): Promise<Fuzzed> {
  const coverage = new Coverage();
  const dice = new Dice(seed);
  const pool: Uint8Array[] = [
    Buffer.alloc(0),
    ...target.seeds.map((text) => Buffer.from(text, 'latin1')),
    ...corpus,
  ];
  const added: Uint8Array[] = [];
  let inputs = 0;
  /** Halves a batch that ran something new until the inputs that did are found. */
  async function search(batch: readonly Uint8Array[]): Promise<void> {
    const [first] = batch;
    await firstFinding(target, batch);
    if (first === undefined || !coverage.hasNews(batch.length === 1)) return;
    if (batch.length === 1) {
      pool.push(first);
      added.push(first);
      return;
    }
    await search(batch.slice(0, batch.length / 2));
    await search(batch.slice(batch.length / 2));
  }
  const finding = (await firstFinding(target, pool)) ?? undefined;
  coverage.hasNews(true);
  while (finding === undefined && !isOver(inputs)) {
    const batch = Array.from({ length: target.isSlow ? 8 : BATCH }, () => mutated(pool, dice, LONGEST));
    const found = await firstFinding(target, batch);
    inputs += batch.length;
    if (found !== undefined) return { inputs, added, finding: found };
    if (coverage.hasNews(false)) await search(batch);
  }
  return { inputs, added, finding };
}

/** Runs the inputs → the first that failed, or took too much. */
export async function firstFinding(
  target: Target,
  inputs: readonly Uint8Array[],
): Promise<Finding | undefined> {
  const bytesBefore = allocated();
  const startedAt = performance.now();
  let at = 0;
  try {
    if (target.isSlow === true) for (; at < inputs.length; at++) await run(target, inputs[at]);
    else {
      Object.assign(globalThis, {
        [BATCH_NAME]: () => {
          for (; at < inputs.length; at++) void run(target, inputs[at]);
        },
      });
      // Ends what would run for ever.
      runInThisContext(`${BATCH_NAME}()`, { timeout: END_AFTER_MS });
    }
  } catch (error) {
    const input = inputs[at] ?? Buffer.alloc(0);
    return { input, what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const tookMs = performance.now() - startedAt;
  const bytes = allocated() - bytesBefore;
  if (tookMs <= MOST_MS && bytes <= MOST_BYTES) return undefined;
  if (inputs.length > 1) {
    for (const input of inputs) {
      const found = await firstFinding(target, [input]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const [input = Buffer.alloc(0)] = inputs;
  // A busy machine takes its time once, or twice.
  const again = await quickest(target, input, 3);
  if (bytes <= MOST_BYTES && again <= MOST_MS) return undefined;
  return { input, what: `took ${again.toFixed()} ms and ${(bytes / 2 ** 20).toFixed(1)} MiB` };
}

/** On the heap, and beside it in buffers. */
function allocated(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const BATCH_NAME = '__portExporterBatch';

/** An ExporterError is an answer. */
function run(target: Target, input: Uint8Array = Buffer.alloc(0)): unknown {
  try {
    const answer = target.run(Buffer.from(input));
    return answer instanceof Promise ? answer.catch(expectAnswer) : answer;
  } catch (error) {
    return expectAnswer(error);
  }
}

function expectAnswer(error: unknown): void {
  if (!(error instanceof ExporterError)) throw error;
}

async function quickest(target: Target, input: Uint8Array, times: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times; time++) {
    const startedAt = performance.now();
    await run(target, input);
    best = Math.min(best, performance.now() - startedAt);
  }
  return best;
}
