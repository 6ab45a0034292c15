import type { Column } from './table.ts';

/** As people sort: 9 before 10, also within addresses. */
const collator = new Intl.Collator('en', { numeric: true });

/** What columns are called as a sort key: their titles, in lower case. */
export function sortKeys<Row>(columns: readonly Column<Row>[]): string[] {
  return columns.filter(({ order }) => order !== undefined).map(sortKey);
}

/**
 * Rows by one column, numbers from the highest down and texts from A to Z, those of which it is not known last. Rows that are
 * equal in it stay in their order.
 *
 * @param key one of sortKeys()
 */
export function sortRows<Row>(columns: readonly Column<Row>[], key: string, rows: readonly Row[]): Row[] {
  const order = columns.find((column) => sortKey(column) === key)?.order;
  if (order === undefined) return [...rows];
  return rows
    .map((row) => ({ row, value: order(row) }))
    .toSorted((a, b) => compare(a.value, b.value))
    .map(({ row }) => row);
}

function sortKey({ title }: { readonly title: string }): string {
  return title.toLowerCase();
}

function compare(a: number | string | undefined, b: number | string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return typeof a === 'number' && typeof b === 'number' ? b - a : collator.compare(String(a), String(b));
}
