import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printable } from '../../src/base/printable.ts';

it.each([
  ['nginx', 'nginx'],
  ['', ''],
  ['a "quoted" \\ name', 'a "quoted" \\ name'],
  ['line\nbreak', 'line\\u000abreak'],
  ['\u001b[31mred', '\\u001b[31mred'],
  ['del\u007f c1\u009b', 'del\\u007f c1\\u009b'],
  ['right\u202eleft\u2066', 'right\\u202eleft\\u2066'],
  ['Fran\u00e7ois \u65e5\u672c', 'Fran\u00e7ois \u65e5\u672c'],
  ['half \ud83d pair', 'half \ufffd pair'],
  ['\u{1f600}', '\u{1f600}'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text, 40)).toBe(shown);
});

it('ends with an ellipsis where it was cut, never inside of a character or an escape', () => {
  expect(printable('123456', 6)).toBe('123456');
  expect(printable('1234567', 6)).toBe('12345\u2026');
  expect(printable('1234\u0000', 8)).toBe('1234\u2026');
  expect(printable('12\u{1f600}45', 4)).toBe('12\u2026');
});

it('shows nothing that a terminal obeys, and keeps its limit, whatever it is given', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 80 }), (text, limit) => {
      const shown = printable(text, limit);
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      expect(shown.length).toBeLessThanOrEqual(limit);
    }),
  );
});
