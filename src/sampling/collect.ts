import { errorLine } from '../base/errors.ts';
import type { CollectorName, CollectorOutcome } from '../snapshot/snapshot.ts';

/** Runs one collector: its result, or undefined and the reason; either way how long it took. One failure is not all. */
export function collect<T>(
  collector: CollectorName,
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
  outcomes.push({ collector, seconds: (performance.now() - startedAt) / 1000, error });
  return result;
}
