/** A dashboard as Grafana has it in JSON: what tests look at. */
export interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly target: Target }[] };
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  /** Of a row. */
  readonly collapsed?: boolean;
  readonly panels?: readonly Panel[];
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string; readonly thresholds?: Thresholds };
    readonly overrides: readonly Override[];
  };
  readonly transformations?: readonly { readonly id: string; readonly options: Record<string, unknown> }[];
}

export interface Thresholds {
  readonly steps: readonly { readonly value: number | null; readonly color: string }[];
}

export interface Override {
  readonly matcher: { readonly id: string; readonly options: string };
  readonly properties: readonly { readonly id: string; readonly value: unknown }[];
}

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly instant?: boolean;
  readonly format?: string;
  readonly legendFormat?: string;
  readonly datasource?: unknown;
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly multi: boolean;
  readonly includeAll: boolean;
  readonly allValue?: string;
  readonly datasource?: unknown;
  readonly query: string | { readonly query: string };
}

/** Panels that ask something: all but the headings of rows. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return withRows(dashboard).filter(({ type }) => type !== 'row');
}

/** All from top to bottom: a collapsed row holds its panels itself. */
export function withRows({ panels }: Dashboard): Panel[] {
  return panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

/** Columns of a table: what they come from → what they are called. */
export function columnsOf({ transformations = [] }: Panel): Record<string, string> {
  const organize = transformations.find(({ id }) => id === 'organize');
  return (organize?.options['renameByName'] ?? {}) as Record<string, string>;
}

/** What is chosen at the top: one value, several, or `All`. */
export type Choices = Readonly<Record<string, string | readonly string[]>>;

/** What Grafana fills in of its own, for a scrape every second and a minute shown. */
const GLOBALS = { __rate_interval: '1m', __interval: '1s', __range: '60s' };

/**
 * An expression as Grafana's Prometheus data source sends it (interpolateQueryExpr and prometheusSpecialRegexEscape of
 * grafana/grafana, packages/grafana-prometheus): a variable of one value as it is, one of several as a regular expression.
 */
export function filledIn(expr: string, variables: readonly Variable[], choices: Choices): string {
  const globals: Readonly<Record<string, string>> = GLOBALS;
  return expr.replaceAll(/\$(\w+)/g, (_, name: string) => {
    const global = globals[name];
    if (global !== undefined) return global;
    const variable = variables.find((candidate) => candidate.name === name);
    const chosen = choices[name];
    if (variable === undefined || chosen === undefined) throw new Error(`no variable ${name}: ${expr}`);
    if (chosen === 'All' && variable.allValue !== undefined) return variable.allValue;
    if (!variable.multi) return String(chosen).replaceAll('\\', '\\\\');
    const [only, ...more] = [chosen].flat().map(escaped);
    return more.length === 0 ? String(only) : `(${[only, ...more].join('|')})`;
  });
}

/** For a regular expression in a string of PromQL. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\\\\\').replaceAll(/[$^*{}[\]'+?.()|]/g, '\\\\$&');
}
