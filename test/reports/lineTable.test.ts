import { expect, it } from 'vitest';
import { type LineColumn, LineTable } from '../../src/reports/lineTable.ts';
import { expectHarmless, PIPE, terminal } from './reports.ts';

type Row = readonly [name: string, to: string];
const COLUMNS: readonly LineColumn<Row>[] = [
  { title: 'NAME', width: 6, text: ([name]) => name },
  { title: 'TO', width: 0, text: ([, to]) => to, emphasis: () => 'alarm' },
  { title: 'END', width: 3, text: () => 'x' },
];

it('becomes wider with what comes, and not narrower again', () => {
  const table = new LineTable(COLUMNS, PIPE);
  expect([table.heading(), table.line(['a', 'b']), table.line(['a', '日本']), table.line(['', 'b'])]).toEqual(
    ['NAME    TO  END', 'a       b   x', 'a       日本  x', '        b     x'],
  );
});

it('lets no single row make every other one wide', () => {
  const table = new LineTable(COLUMNS, PIPE);
  expect(table.line(['n'.repeat(200), 'b'])).toBe(`${'n'.repeat(200)}  b   x`);
  expect(table.line(['a', 'b'])).toBe(`${'a'.padEnd(40)}  b   x`);
});

it('is one line whatever it is told, which does not speak to the terminal', () => {
  const table = new LineTable(COLUMNS, PIPE);
  const line = table.line(['\u001b]0;title\u0007\n\u202e', '\ud800']);
  expectHarmless(line, PIPE);
  expect(line).toBe('\\u001b]0;title\\u0007\\u000a\\u202e  \ufffd   x');
  expect(line.split('\n')).toHaveLength(1);
});

it('has colour where the terminal wants it', () => {
  const table = new LineTable(COLUMNS, terminal(80, true));
  expect(table.heading()).toContain('\u001b[1mNAME\u001b[22m');
  expect(table.line(['a', 'b'])).toBe('a       \u001b[31mb\u001b[39m   x');
});
