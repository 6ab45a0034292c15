import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGoDuration } from '../../../src/web/config/goDuration.ts';

describe('a duration of Go', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['1s', 1_000],
    ['1.5s', 1_500],
    ['.5s', 500],
    ['5.s', 5_000],
    ['+1s', 1_000],
    ['1h30m', 5_400_000],
    ['30m1h', 5_400_000],
    ['1s1s', 2_000],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['250μs', 0.25],
    ['2500000ns', 2.5],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(parseGoDuration(text)).toBeCloseTo(milliseconds, 9);
  });

  it.each([
    '',
    '1',
    '5.',
    '.',
    '.s',
    's',
    '-1s',
    '1d',
    '1 s',
    '1s ',
    '1S',
    '1e3s',
    '1,5s',
    '2562048h',
    '++1s',
  ])('is not %j', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });

  it('is the sum of its parts', () => {
    const part = fc.tuple(fc.integer({ min: 0, max: 1_000 }), fc.constantFrom('ms', 's', 'm', 'h'));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const sizes = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
        const sum = parts.reduce((total, [count, unit]) => total + count * sizes[unit], 0);
        expect(parseGoDuration(parts.map(([count, unit]) => `${count}${unit}`).join(''))).toBe(sum);
      }),
    );
  });

  it('is refused soon, however long it is', () => {
    const startedAt = performance.now();
    for (const text of [
      '1'.repeat(1 << 20),
      '1.'.repeat(1 << 19),
      '1s'.repeat(1 << 19),
      '.1'.repeat(1 << 19),
    ]) {
      parseGoDuration(`${text}x`);
    }
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
