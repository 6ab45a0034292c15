import { expect, it } from 'vitest';
import { regime } from '../../src/aggregate/exhaustion.ts';

it.each([
  [100, 100, { available: 100, ratio: 0 }],
  [75, 100, { available: 75, ratio: 0.25 }],
  [0, 100, { available: 0, ratio: 1 }],
  [0, 0, { available: 0, ratio: 1 }],
  [-3, 100, { available: 0, ratio: 1 }],
  [103, 100, { available: 100, ratio: 0 }],
])('%d available of %d usable, cut off at what can be', (available, usable, expected) => {
  expect(regime(available, usable)).toEqual(expected);
});
