import { html } from 'hono/html';
import { counted } from '../../base/quantities.ts';
import type { Html } from './format.ts';

/** One column. A number stands to the right. */
export interface Column<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => Html | string;
}

interface Table<Row> {
  /** Of the section's heading; letters. */
  readonly id: string;
  readonly columns: readonly [Column<Row>, ...Column<Row>[]];
  readonly rows: readonly Row[];
  /** The same for the same thing. */
  readonly rowId: (row: Row) => string;
  /** What is said below a row, across all columns; '' for nothing. */
  readonly below?: (row: Row) => Html | '';
}

/**
 * A table that scrolls on its own where it is too wide, by keyboard too. Its first column names the row. On a phone each row
 * folds into lines of its own, each with its column's title, and nothing scrolls; roles are written out, because what is
 * no longer laid out as a table is none to a screen reader either.
 */
export function table<Row>({ id, columns, rows, rowId, below }: Table<Row>): Html {
  const [first, ...others] = columns;
  return html`<div id="${id}-scroll" class="scroll" role="region" aria-labelledby="${id}" tabindex="0"><table role="table">
<thead role="rowgroup"><tr role="row">${columns.map((column) => html`<th role="columnheader" scope="col"${numeric(column)}>${column.title}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => {
    const id = rowId(row);
    const more = below?.(row) ?? '';
    return html`<tr role="row" id="${id}"><th role="rowheader" scope="row"${more === '' ? '' : html` id="${id}-name"`}>${first.cell(row)}</th>${others.map(
      (column) =>
        html`<td role="cell" data-title="${column.title}"${numeric(column)}><div>${column.cell(row)}</div></td>`,
    )}</tr>\n${
      more === ''
        ? ''
        : html`<tr role="row" id="${id}-below" class="below"><td role="cell" colspan="${columns.length}" headers="${id}-name"><p>${more}</p></td></tr>\n`
    }`;
  })}</tbody>
</table></div>`;
}

/** `2 more destinations, with fewer ports.` */
export function omission(left: number, noun: string, what: string): Html | string {
  return left > 0 ? html`<p class="note">${counted(left, `more ${noun}`)}, with ${what}.</p>` : '';
}

function numeric<Row>({ isNumber }: Column<Row>): Html | string {
  return isNumber === true ? html` class="number"` : '';
}
