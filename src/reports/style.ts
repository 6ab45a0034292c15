import { styleText } from 'node:util';
import { leastRatioOf } from '../status/level.ts';
import type { Terminal } from './terminal.ts';

/** How much a text matters: a heading, a number to look at, one to act on. */
export type Emphasis = 'plain' | 'heading' | 'warning' | 'alarm';

const FORMATS = { heading: 'bold', warning: 'yellow', alarm: 'red' } as const;

export function styled(text: string, emphasis: Emphasis, { hasColor }: Terminal): string {
  return hasColor && emphasis !== 'plain'
    ? styleText(FORMATS[emphasis], text, { validateStream: false })
    : text;
}

/** At the levels the alerts have. */
export function emphasisOfRatio(ratio: number): Emphasis {
  if (ratio >= leastRatioOf('imminent')) return 'alarm';
  return ratio >= leastRatioOf('near') ? 'warning' : 'plain';
}
