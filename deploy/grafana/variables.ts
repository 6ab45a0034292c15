import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './datasource.ts';
import { FLEET, HOST } from './promql.ts';

/** What is chosen at the top, each out of what the ones before it leave. */
export function dashboardVariables() {
  return [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    labelValues('job', 'Job', 'port_exporter_build_info')
      .description('Jobs that scrape port-exporter: the fleet.')
      .multi(true)
      .includeAll(true)
      .allValue('.+')
      .current({ text: ['All'], value: ['$__all'] }),
    labelValues('instance', 'Host', `port_exporter_build_info{${FLEET}}`).description(
      'The exporter shown in all rows below the first.',
    ),
    // Up to hundreds: a list of all their names would make every query as long.
    labelValues('netns', 'Network namespace', `port_exporter_sample_success{${HOST}}`)
      .description(
        'Namespaces of this host: host is that of PID 1, others are pods, containers and ip netns.',
      )
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current({ text: ['All'], value: ['$__all'] }),
  ];
}

/** The values of the label of the same name. */
function labelValues(name: string, label: string, of: string): QueryVariableBuilder {
  const query = `label_values(${of}, ${name})`;
  return (
    new QueryVariableBuilder(name)
      .label(label)
      .datasource(DATASOURCE)
      .definition(query)
      // qryType 1: label values, in the query editor.
      .query({ qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' })
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.NaturalAsc)
  );
}
