import type { BlockedPortQuestions } from '../kernel/blockedPorts.ts';
import type { Canary } from './canary.ts';

/** At most so many questions a sample: a few microseconds each. What is left is asked at the next. */
const MOST_QUESTIONS = 4096;

type IsBlocked = (port: number) => boolean | undefined;

/** Runs `use` with a way to ask the kernel whether ports are blocked, which is opened when it is needed and closed afterwards. */
export function askingBlocked<T>(canary: Canary | undefined, use: (isBlocked?: IsBlocked) => T): T {
  if (canary === undefined) return use();
  let questions: BlockedPortQuestions | undefined;
  let left = MOST_QUESTIONS;
  try {
    return use((port) => {
      if (left <= 0) return undefined;
      if (left === MOST_QUESTIONS) questions = canary.openQuestions();
      left--;
      if (questions === undefined) left = 0;
      return questions?.isBlocked(port);
    });
  } finally {
    if (questions !== undefined) canary.closeQuestions(questions);
  }
}
