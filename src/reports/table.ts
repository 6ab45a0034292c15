import stringWidth from 'string-width';
import { escapeInvisible } from '../base/logfmt.ts';
import { type Emphasis, styled } from './style.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

/** One column of a table of `Row`s. */
export interface Column<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  /** Text of a cell; what cannot be known is ''. */
  readonly text: (row: Row) => string;
  readonly emphasis?: (row: Row) => Emphasis;
  /** Where the terminal is too narrow it goes below its row, rather than squeezing the others. */
  readonly isDetail?: boolean;
  /** What rows can be sorted by: numbers from the highest down, texts from A to Z. undefined where it is not known. */
  readonly order?: (row: Row) => number | string | undefined;
}

const GAP = 2;
/** No column is made narrower than this, whatever the terminal. */
const LEAST_WIDTH = 4;
const UNKNOWN = '-';

/** A table for a person, its widths fit to the terminal: what does not fit is wrapped in its cell. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  terminal: Terminal,
): string {
  const head = columns.map(({ title }): Cell => ({ text: title, emphasis: 'heading' }));
  const body = rows.map((row) =>
    columns.map(
      ({ text, emphasis }): Cell => ({
        text: harmless(text(row)) || UNKNOWN,
        emphasis: emphasis?.(row) ?? 'plain',
      }),
    ),
  );
  const lines = [head, ...body];
  const widths = naturalWidths(lines);
  if (terminal.columns === undefined || excessOver(terminal.columns, widths) <= 0) {
    return lines.flatMap((cells) => renderRow(cells, columns, widths, terminal)).join('\n');
  }
  const isMain = (_: unknown, index: number) => columns[index]?.isDetail !== true;
  const isDetail = (_: unknown, index: number) => columns[index]?.isDetail === true;
  const mainColumns = columns.filter(isMain);
  const mainWidths = fitted(mainColumns, widths.filter(isMain), terminal.columns);
  return lines
    .flatMap((cells, line) => [
      ...renderRow(cells.filter(isMain), mainColumns, mainWidths, terminal),
      ...(line === 0
        ? []
        : renderDetails(columns.filter(isDetail), cells.filter(isDetail), terminal.columns)),
    ])
    .join('\n');
}

/** Names in a table are chosen by strangers: none of them may speak to the terminal. */
export function harmless(text: string): string {
  return escapeInvisible(text.replaceAll(/\p{Cs}/gu, '\ufffd'));
}

interface Cell {
  readonly text: string;
  readonly emphasis: Emphasis;
}

/** A row in as many lines as its longest cell needs. */
function renderRow(
  cells: readonly Cell[],
  columns: readonly Column<never>[],
  widths: readonly number[],
  terminal: Terminal,
): string[] {
  const parts = cells.map(({ text }, index) => wrapped(text, widths[index] ?? LEAST_WIDTH));
  const height = Math.max(1, ...parts.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map(({ emphasis }, index) => {
        const part = parts[index]?.[line] ?? '';
        const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - stringWidth(part)));
        // Coloured once it is cut to its width: an escape sequence has none, and must stay whole.
        const shown = part === '' ? '' : styled(part, emphasis, terminal);
        return columns[index]?.isNumber ? space + shown : shown + space;
      })
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

/** `  process nginx/812, user root`, in as many lines as it takes. */
function renderDetails(
  columns: readonly Column<never>[],
  cells: readonly Cell[],
  available: number | undefined,
): string[] {
  const known = cells.flatMap(({ text }, index) =>
    text === UNKNOWN ? [] : [`${columns[index]?.title.toLowerCase()} ${text}`],
  );
  const width = Math.max(LEAST_WIDTH, (available ?? Number.POSITIVE_INFINITY) - GAP);
  return known.length === 0 ? [] : wrapped(known.join(', '), width).map((line) => ' '.repeat(GAP) + line);
}

function naturalWidths(lines: readonly (readonly Cell[])[]): number[] {
  return (lines[0] ?? []).map((_, index) =>
    lines.reduce((widest, cells) => Math.max(widest, stringWidth(cells[index]?.text ?? '')), 0),
  );
}

/** Terminal columns that a table is too wide by. */
function excessOver(available: number, widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP, -GAP) - available;
}

/** Takes from the widest column of text until all fit, and only then from the numbers. */
function fitted(columns: readonly Column<never>[], natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  let excess = excessOver(available, widths);
  for (const isNumber of [false, true]) {
    for (; excess > 0; excess--) {
      const widest = widestOf(widths, (index) => (columns[index]?.isNumber ?? false) === isNumber);
      const width = widths[widest] ?? 0;
      if (width <= LEAST_WIDTH) break;
      widths[widest] = width - 1;
    }
  }
  return widths;
}

function widestOf(widths: readonly number[], isCandidate: (index: number) => boolean): number {
  return widths.reduce(
    (widest, width, index) => (isCandidate(index) && width > (widths[widest] ?? 0) ? index : widest),
    -1,
  );
}
