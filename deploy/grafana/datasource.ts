import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/dashboard';

/** Whatever is chosen at the top of the dashboard. */
export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };
