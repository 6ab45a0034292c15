/** Above this many, sorting everything is cheaper than inserting one by one. */
const FEW = 512;

/** The `limit` fullest of rows 0 to `count` − 1, fullest first; of equally full ones the lower row first. */
export function fullest(limit: number, count: number, fullness: (row: number) => number): number[] {
  return limit > FEW ? bySorting(limit, count, fullness) : byInsertion(limit, count, fullness);
}

/** Holds only `limit` rows at a time. */
function byInsertion(limit: number, count: number, fullness: (row: number) => number): number[] {
  const rows: number[] = [];
  const scores: number[] = [];
  for (let row = 0; row < count; row++) {
    const score = fullness(row);
    let at = rows.length;
    while (at > 0 && (scores[at - 1] as number) < score) at--;
    if (at >= limit) continue;
    rows.splice(at, 0, row);
    scores.splice(at, 0, score);
    rows.length = Math.min(rows.length, limit);
    scores.length = rows.length;
  }
  return rows;
}

function bySorting(limit: number, count: number, fullness: (row: number) => number): number[] {
  const scores = Float64Array.from({ length: count }, (_, row) => fullness(row));
  const rows = Array.from({ length: count }, (_, row) => row);
  rows.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  return rows.slice(0, limit);
}
