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

/** A table that scrolls on its own where it is too wide, by keyboard too. Its first column names the row. */
export function table<Row>({ id, columns, rows, rowId, below }: Table<Row>): Html {
  const [first, ...others] = columns;
  return html`<div id="${id}-scroll" class="scroll" role="region" aria-labelledby="${id}" tabindex="0"><table>
<thead><tr>${columns.map((column) => html`<th scope="col"${numeric(column)}>${column.title}</th>`)}</tr></thead>
<tbody>${rows.map((row) => {
    const id = rowId(row);
    const more = below?.(row) ?? '';
    return html`<tr id="${id}"><th scope="row"${more === '' ? '' : html` id="${id}-name"`}>${first.cell(row)}</th>${others.map(
      (column) => html`<td${numeric(column)}>${column.cell(row)}</td>`,
    )}</tr>\n${
      more === ''
        ? ''
        : html`<tr id="${id}-below" class="below"><td colspan="${columns.length}" headers="${id}-name"><p>${more}</p></td></tr>\n`
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
