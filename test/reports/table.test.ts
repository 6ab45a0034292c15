import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { type Column, renderTable } from '../../src/reports/table.ts';
import { wrapped } from '../../src/reports/wrap.ts';
import { expectHarmless, PIPE, terminal } from './reports.ts';

type Row = readonly string[];

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', text: ([name = '']) => name },
  { title: 'COUNT', isNumber: true, text: ([, count = '']) => count, emphasis: () => 'alarm' },
  { title: 'OWNER', text: ([, , owner = '']) => owner, isDetail: true },
  { title: 'NOTE', text: ([, , , note = '']) => note },
];

const ROWS: readonly Row[] = [
  ['nginx', '7', 'nginx.service', 'all well'],
  ['a', '123456', '', ''],
];

describe('a table', () => {
  it('is as wide as what is in it, where nothing limits it', () => {
    expect(renderTable(COLUMNS, ROWS, PIPE).split('\n')).toEqual([
      'NAME    COUNT  OWNER          NOTE',
      'nginx       7  nginx.service  all well',
      'a      123456  -              -',
    ]);
    expect(renderTable(COLUMNS, ROWS, terminal(38))).toBe(renderTable(COLUMNS, ROWS, PIPE));
  });

  it('has its details below their rows where it is too narrow', () => {
    expect(renderTable(COLUMNS, ROWS, terminal(37)).split('\n')).toEqual([
      'NAME    COUNT  NOTE',
      'nginx       7  all well',
      '  owner nginx.service',
      'a      123456  -',
    ]);
  });

  it('wraps text before it wraps numbers, and at spaces before it cuts words', () => {
    expect(renderTable(COLUMNS, ROWS, terminal(20)).split('\n')).toEqual([
      'NAME    COUNT  NOTE',
      'nginx       7  all',
      '               well',
      '  owner',
      '  nginx.service',
      'a      123456  -',
    ]);
  });

  it('is only its head without rows', () => {
    expect(renderTable(COLUMNS, [], PIPE)).toBe('NAME  COUNT  OWNER  NOTE');
  });

  it('has colour only where it is asked for, in every line of a cell', () => {
    const table = renderTable(COLUMNS, [['x', '12345678', '', '']], terminal(18, true));
    expect(table).toContain('\u001b[1mNAME\u001b[22m');
    expect(table.split('\n').filter((line) => line.includes('\u001b[31m'))).not.toEqual([]);
    expectHarmless(table, terminal(18, true));
  });

  it('counts columns, not characters', () => {
    const table = renderTable(
      COLUMNS,
      [
        ['日本', '1', '', ''],
        ['e\u0301', '2', '', ''],
      ],
      PIPE,
    );
    expect(table.split('\n').slice(1)).toEqual(['日本      1  -      -', 'e\u0301         2  -      -']);
  });

  it('never speaks to the terminal', () => {
    const table = renderTable(COLUMNS, [['\u001b[31mred\n\u009b2J', '\u202e1', '\u0000', '\ud800']], PIPE);
    expectHarmless(table, PIPE);
    expect(table).toContain('\\u001b[31mred\\u000a\\u009b2J');
    expect(table).toContain('\ufffd');
  });

  it('fits its terminal and is harmless, whatever is in it', () => {
    const table = fc.tuple(
      fc.array(fc.tuple(anyText, anyText, anyText, anyText), { maxLength: 4 }),
      fc.integer({ min: 16, max: 120 }),
      fc.boolean(),
    );
    fc.assert(
      fc.property(table, ([rows, columns, hasColor]) => {
        expectHarmless(renderTable(COLUMNS, rows, { columns, hasColor }), { columns, hasColor });
      }),
      { numRuns: 2000 },
    );
  });

  it('loses nothing of its numbers and names by wrapping', () => {
    const word = fc.stringMatching(/^[a-z0-9:.]{1,40}$/);
    fc.assert(
      fc.property(word, word, fc.integer({ min: 16, max: 60 }), (name, count, columns) => {
        const [, ...body] = renderTable(COLUMNS.slice(0, 2), [[name, count]], terminal(columns)).split('\n');
        const letters = (text: string) => [...text.replaceAll(/[A-Z ]/g, '')].toSorted().join('');
        expect(letters(body.join(''))).toBe(letters(name + count));
      }),
    );
  });
});

describe('wrapped text', () => {
  it('is cut at spaces', () => {
    expect(wrapped('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrapped('one two three', 13)).toEqual(['one two three']);
  });

  it('is cut inside of a word that is too long for a line', () => {
    expect(wrapped('one abcdefghij', 4)).toEqual(['one', 'abcd', 'efgh', 'ij']);
  });

  it('never cuts a character in two', () => {
    expect(wrapped('🇩🇪🇫🇷', 3)).toEqual(['🇩🇪', '🇫🇷']);
    expect(wrapped('e\u0301e\u0301e\u0301', 2)).toEqual(['e\u0301e\u0301', 'e\u0301']);
  });

  it('keeps every character but spaces at a cut, in lines that fit', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 4, max: 40 }), (text, width) => {
        const cut = wrapped(text, width);
        expect(cut.join('').replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''));
        for (const line of cut) expect(stringWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });
});

const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'grapheme-composite', maxLength: 40 }),
  fc.stringMatching(/^[a-z. -]{0,60}$/),
  fc.constantFrom(
    '👩‍👩‍👧‍👦'.repeat(9),
    '日本語'.repeat(9),
    '\u001b[31mred',
    'e\u0301'.repeat(30),
    '🇩🇪🇫🇷'.repeat(8),
    'a\tb\r\nc',
  ),
);
