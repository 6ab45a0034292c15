import { describe, expect, it } from 'vitest';
import { terminalOf } from '../../src/reports/terminal.ts';

type Stream = Parameters<typeof terminalOf>[0];

function stream(isTTY: boolean, columns?: number): Stream {
  return { isTTY, columns } as Stream;
}

describe('where a report is printed', () => {
  it.each([
    ['a terminal', true, 80, { TERM: 'xterm' }, { columns: 80, hasColor: true }],
    ['a pipe', false, undefined, { TERM: 'xterm' }, { columns: undefined, hasColor: false }],
    [
      'a pipe, whatever its environment says',
      false,
      80,
      { COLUMNS: '80' },
      { columns: undefined, hasColor: false },
    ],
    ['a terminal with NO_COLOR', true, 80, { NO_COLOR: '1' }, { columns: 80, hasColor: false }],
    [
      'a terminal with NO_COLOR set to 0, which is set',
      true,
      80,
      { NO_COLOR: '0' },
      { columns: 80, hasColor: false },
    ],
    ['a terminal with an empty NO_COLOR', true, 80, { NO_COLOR: '' }, { columns: 80, hasColor: true }],
    ['a terminal without colours', true, 80, { TERM: 'dumb' }, { columns: 80, hasColor: false }],
    ['a terminal that does not tell its width', true, 0, {}, { columns: undefined, hasColor: true }],
  ])('%s', (_, isTTY, columns, environment, expected) => {
    expect(terminalOf(stream(isTTY, columns), environment)).toEqual(expected);
  });
});
