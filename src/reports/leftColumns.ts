import type { Regime } from '../aggregate/exhaustion.ts';
import { percent } from '../base/quantities.ts';
import { emphasisOfRatio } from './style.ts';
import type { Column } from './table.ts';

/** How many ports are left, and how many are used. */
export const LEFT_COLUMNS: readonly Column<Pick<Regime, 'available' | 'ratio'>>[] = [
  {
    title: 'LEFT',
    isNumber: true,
    text: ({ available }) => String(available),
    emphasis: ({ ratio }) => emphasisOfRatio(ratio),
  },
  {
    title: 'USED',
    isNumber: true,
    text: ({ ratio }) => percent(ratio),
    isDetail: true,
    emphasis: ({ ratio }) => emphasisOfRatio(ratio),
  },
];
