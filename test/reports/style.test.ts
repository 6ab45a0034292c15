import { describe, expect, it } from 'vitest';
import { emphasisOfRatio } from '../../src/reports/style.ts';
import { type Level, leastRatioOf } from '../../src/status/level.ts';

describe('the emphasis of a ratio', () => {
  it.each<[Level, string, string]>([
    ['near', 'plain', 'warning'],
    ['imminent', 'warning', 'alarm'],
    ['exhausted', 'alarm', 'alarm'],
  ])('changes where the level does: %s', (level, below, from) => {
    const least = leastRatioOf(level);
    expect([emphasisOfRatio(least - 1e-9), emphasisOfRatio(least)]).toEqual([below, from]);
  });
});
