import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';

/** Panels under one heading, from left to right and line by line; each line is 24 wide and of one height. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}
