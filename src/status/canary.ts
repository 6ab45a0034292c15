import type { CanaryAnswer } from '../snapshot/canaryAnswer.ts';

/** The kernel's own answer, beside what was calculated. */
export interface CanaryStatus {
  /** Answers where the kernel was asked and there is a loopback address. */
  readonly answers: readonly AskedAnswer[];
  /** How often any of them was not what was calculated, since the namespace is sampled. */
  readonly disagreements: number;
}

export interface AskedAnswer extends CanaryAnswer {
  /** Whether a port was given. */
  readonly succeeded: boolean;
}

/** undefined where the kernel was not asked. */
export function canaryOf(answers: readonly CanaryAnswer[]): CanaryStatus | undefined {
  const asked = answers.filter(wasAsked);
  if (asked.length === 0) return undefined;
  return {
    answers: asked,
    disagreements: answers.reduce((sum, { disagreements }) => sum + disagreements, 0),
  };
}

function wasAsked(answer: CanaryAnswer): answer is AskedAnswer {
  return answer.succeeded !== undefined;
}
