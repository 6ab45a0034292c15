import { errorLine } from '../base/errors.ts';
import type { CollectorOutcome } from '../snapshot/sample.ts';

/** Runs one collector: its result, or undefined and the reason; either way how long it took. One failure is not all. */
export function collect<T>(
  { collector, finds }: Pick<CollectorOutcome, 'collector' | 'finds'>,
  outcomes: CollectorOutcome[],
  run: () => T,
): T | undefined {
  const startedAt = performance.now();
  let result: T | undefined;
  let error: string | undefined;
  try {
    result = run();
  } catch (thrown) {
    error = errorLine(thrown);
  }
  outcomes.push({ collector, finds, seconds: (performance.now() - startedAt) / 1000, error });
  return result;
}
