import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, LONGEST_DURATION_MS, parseDuration } from '../../src/base/duration.ts';
import { ExporterError } from '../../src/base/errors.ts';

describe('a duration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['15s', 15_000],
    ['1m', 60_000],
    ['1h30m', 5_400_000],
    ['1d', 86_400_000],
    ['2w', 1_209_600_000],
    ['1y', 31_536_000_000],
    ['1y2w3d4h5m6s7ms', 31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007],
    ['90m', 5_400_000],
    ['007s', 7_000],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each([
    '',
    '5',
    '-5s',
    '1.5s',
    '5 s',
    ' 5s',
    '5s\n',
    '5S',
    's',
    '1m1h',
    '1s1s',
    '1ms1s',
    '1µs',
    'Infinity',
    '٥s',
  ])('is not %j, which is shown with what was expected', (text) => {
    expect(() => parseDuration(text)).toThrow(
      new ExporterError(`invalid duration ${JSON.stringify(text)}: expected one like 500ms, 15s or 1h30m`),
    );
  });

  it('ends where 64 bits of nanoseconds do', () => {
    expect(parseDuration('9223372036854ms')).toBe(LONGEST_DURATION_MS);
    expect(() => parseDuration('9223372036855ms')).toThrow(
      'invalid duration "9223372036855ms": expected at most 292y',
    );
    expect(() => parseDuration(`${'9'.repeat(400)}s`)).toThrow(ExporterError);
  });

  it.each([
    [0, '0s'],
    [0.4, '0s'],
    [1, '1ms'],
    [1_500.2, '1s500ms'],
    [90 * 60_000, '1h30m'],
    [7 * 86_400_000, '1w'],
    [8 * 86_400_000, '8d'],
    [90 * 86_400_000, '90d'],
    [365 * 86_400_000, '1y'],
    [366 * 86_400_000, '366d'],
  ])('of %d ms is written as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LONGEST_DURATION_MS }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
  });

  it('is a number or an ExporterError, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9ywdhms]{0,20}$/)), (text) => {
        try {
          expect(parseDuration(text)).toBeGreaterThanOrEqual(0);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
        }
      }),
    );
  });
});
