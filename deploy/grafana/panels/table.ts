import {
  TableFooterOptionsBuilder,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { String as StringUnit } from '@grafana/grafana-foundation-sdk/units';
import { DATASOURCE } from '../datasource.ts';
import type { Described } from './described.ts';
import { atEndAsTable, refId } from './queries.ts';

/** A column out of a label of the queries. */
export interface LabelColumn {
  readonly label: string;
  readonly name: string;
  /** Properties in the form of field overrides. */
  readonly properties?: DynamicConfigValue[];
}

/** A column with the values of a query of its own. */
export interface ValueColumn {
  readonly expr: string;
  /** Without one it is not shown: the query is there for its labels. */
  readonly name?: string;
  readonly properties?: DynamicConfigValue[];
}

/**
 * Rows with the same labels, put together out of one instant query for each column of values. Columns are in the order
 * given, labels first; every other label is left out.
 *
 * @param sortedBy the name of a column, whose highest value comes first
 */
export function table(
  { title, description, unit }: Described,
  labels: readonly LabelColumn[],
  values: readonly ValueColumn[],
  sortedBy: string,
): PanelBuilder {
  const columns = [
    ...labels.map(({ label, name, properties = [] }) => ({
      source: label,
      name,
      // Grafana would format a port, a number too, in the unit of the panel.
      properties: [{ id: 'unit', value: StringUnit }, ...properties],
    })),
    ...values.flatMap(({ name, properties = [] }, index) => {
      const source = values.length > 1 ? `Value #${refId(index)}` : 'Value';
      return name === undefined ? [] : [{ source, name, properties }];
    }),
  ];
  const panel = new PanelBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(DATASOURCE)
    .targets(values.map(({ expr }, index) => atEndAsTable(expr).refId(refId(index))))
    .height(8)
    .span(24)
    .filterable(true)
    .sortBy([new TableSortByFieldStateBuilder().displayName(sortedBy).desc(true)])
    .footer(new TableFooterOptionsBuilder().show(false).reducer([]).enablePagination(true))
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'filterFieldsByName',
      options: { include: { names: columns.map(({ source }) => source) } },
    })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: {},
        indexByName: Object.fromEntries(columns.map(({ source }, index) => [source, index])),
        renameByName: Object.fromEntries(columns.map(({ source, name }) => [source, name])),
      },
    });
  for (const { name, properties } of columns) {
    if (properties.length > 0) panel.overrideByName(name, properties);
  }
  return panel;
}
