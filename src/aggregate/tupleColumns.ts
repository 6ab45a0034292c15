import { TcpState } from '../sockets/record.ts';

/** What each row of a table of destinations holds, in columns that grow together. */
export interface Columns {
  /** Held ports, one column a kind. */
  readonly held: readonly [Uint16Array, Uint16Array, Uint16Array, Uint16Array];
  /** Held ports that are not blocked: those taken, and those connect() may take over. */
  readonly free: readonly [Uint16Array, Uint16Array];
  readonly firstHalf: Uint16Array;
  readonly uncertain: Uint16Array;
  readonly watched: Uint16Array;
}

const ESTABLISHED = 0;
const TIME_WAIT = 1;
const OTHER = 2;
/** TIME_WAIT that connect() may take over. */
export const RECLAIMABLE = 3;

export function kindOfState(state: number): number {
  if (state === TcpState.ESTABLISHED) return ESTABLISHED;
  return state === TcpState.TIME_WAIT ? TIME_WAIT : OTHER;
}

export function newColumns(length: number): Columns {
  const column = () => new Uint16Array(length);
  return {
    held: [column(), column(), column(), column()],
    free: [column(), column()],
    firstHalf: column(),
    uncertain: column(),
    watched: column(),
  };
}

export function grown(columns: Columns, length: number): Columns {
  const result = newColumns(length);
  const from = allColumns(columns);
  for (const [index, column] of allColumns(result).entries()) column.set(from[index] as Uint16Array);
  return result;
}

export function allColumns({ held, free, firstHalf, uncertain, watched }: Columns): Uint16Array[] {
  return [...held, ...free, firstHalf, uncertain, watched];
}

export function increment(column: Uint16Array, row: number): void {
  column[row] = (column[row] as number) + 1;
}
