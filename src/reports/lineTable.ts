import stringWidth from 'string-width';
import { type Emphasis, styled } from './style.ts';
import { harmless } from './table.ts';
import type { Terminal } from './terminal.ts';

/** A column of rows that come one after the other. */
export interface LineColumn<Row> {
  readonly title: string;
  /** What most of its texts fit into. */
  readonly width: number;
  readonly text: (row: Row) => string;
  readonly emphasis?: (row: Row) => Emphasis;
}

const GAP = '  ';
/** A longer text moves what follows it in its own line alone. */
const WIDEST = 40;

/** A table that is not known as a whole: a line for each row, in columns that only ever become wider. */
export class LineTable<Row> {
  readonly #columns: readonly LineColumn<Row>[];
  readonly #terminal: Terminal;
  readonly #widths: number[];

  constructor(columns: readonly LineColumn<Row>[], terminal: Terminal) {
    this.#columns = columns;
    this.#terminal = terminal;
    this.#widths = columns.map(({ title, width }) => Math.max(width, title.length));
  }

  heading(): string {
    return this.#line(this.#columns.map(({ title }) => [title, 'heading']));
  }

  line(row: Row): string {
    return this.#line(
      this.#columns.map(({ text, emphasis }) => [harmless(text(row)), emphasis?.(row) ?? 'plain']),
    );
  }

  #line(cells: readonly (readonly [text: string, emphasis: Emphasis])[]): string {
    return cells
      .map(([text, emphasis], index) => {
        const width = stringWidth(text);
        const column = Math.max(this.#widths[index] ?? 0, Math.min(width, WIDEST));
        this.#widths[index] = column;
        const shown = text === '' ? '' : styled(text, emphasis, this.#terminal);
        return shown + ' '.repeat(Math.max(0, column - width));
      })
      .join(GAP)
      .trimEnd();
  }
}
