import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { DATASOURCE } from '../datasource.ts';

/** Over the time shown. @param legend such as `{{owner}}` */
export function overTime(expr: string, legend: string): DataqueryBuilder {
  return query(expr).range().legendFormat(legend);
}

/** At the end of the time shown. */
export function atEnd(expr: string, legend: string): DataqueryBuilder {
  return query(expr).instant().legendFormat(legend);
}

/** At the end of the time shown, with a column for each label. */
export function atEndAsTable(expr: string): DataqueryBuilder {
  return query(expr).instant().format(PromQueryFormat.Table);
}

/** Named `A`, `B`, ... as Grafana does. */
export function lettered(queries: readonly DataqueryBuilder[]): DataqueryBuilder[] {
  return queries.map((each, index) => each.refId(refId(index)));
}

export function refId(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

function query(expr: string): DataqueryBuilder {
  return new DataqueryBuilder().datasource(DATASOURCE).expr(expr);
}
