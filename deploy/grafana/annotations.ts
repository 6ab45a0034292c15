import { AnnotationQueryBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { DATASOURCE } from './datasource.ts';
import { HOST, OF_EXPORTERS } from './promql.ts';

/** When alerts of the host and namespaces shown were firing, and, switched on at the top, pending. */
export function alertAnnotations(): AnnotationQueryBuilder[] {
  return [
    alerts('Alerts firing', 'firing', 'red').enable(true),
    alerts('Alerts pending', 'pending', 'orange').enable(false),
  ];
}

function alerts(name: string, state: string, color: string): AnnotationQueryBuilder {
  // Alerts on probes and on the exporter itself have no namespace.
  const expr = `ALERTS{alertstate="${state}", ${HOST}, netns=~"|$netns"} ${OF_EXPORTERS}`;
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .iconColor(color)
    .target(new DataqueryBuilder().datasource(DATASOURCE).refId('Anno').expr(expr).range())
    .titleFormat('{{alertname}}')
    .textFormat('{{netns}} {{protocol}} {{scope}} {{target}}')
    .tagKeys('severity');
}
