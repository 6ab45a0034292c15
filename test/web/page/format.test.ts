import { describe, expect, it } from 'vitest';
import { elapsed } from '../../../src/web/page/format.ts';

describe('a duration on the page', () => {
  it.each([
    [0, '0 µs'],
    [0.000_012_4, '12 µs'],
    [0.000_999_4, '999 µs'],
    [0.000_999_6, '1.0 ms'],
    [0.012_34, '12.3 ms'],
    [0.099_96, '100 ms'],
    [0.9994, '999 ms'],
    [0.9996, '1.0 s'],
    [2.0046, '2.0 s'],
    [120, '120 s'],
  ])('of %s seconds is %s', (seconds, text) => {
    expect(elapsed(seconds)).toBe(text.replace(' ', '\u202f'));
  });
});
