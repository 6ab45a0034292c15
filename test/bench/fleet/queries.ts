import { readFileSync } from 'node:fs';
import { type Dashboard, filledIn } from '../../support/grafana.ts';
import { quantile } from '../statistics.ts';
import type { RunningPrometheus } from './prometheus.ts';

export interface QueryTime {
  readonly panel: string;
  readonly expr: string;
  /** Median, in seconds, as a client of the HTTP API sees it. */
  readonly seconds: number;
  readonly series: number;
}

const ROUNDS = 5;

/** How long every query of the row `Fleet` takes, with all jobs chosen. @param minutes the time shown by graphs */
export async function timeFleetRow(
  prometheus: RunningPrometheus,
  file: string,
  minutes: number,
  step: number,
): Promise<QueryTime[]> {
  const dashboard = JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
  const times: QueryTime[] = [];
  for (const { panel, expr, isInstant } of fleetQueries(dashboard)) {
    const query = filledIn(
      expr.replaceAll('$__range', `${Math.round(minutes * 60)}s`).replaceAll('$__interval', `${step}s`),
      dashboard.templating.list,
      { job: 'port-exporter' },
    );
    const end = Math.floor(Date.now() / 1000);
    const seconds: number[] = [];
    let series = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const startedAt = performance.now();
      const { result } = (await (isInstant
        ? prometheus.ask('query', { query, time: String(end) })
        : prometheus.ask('query_range', {
            query,
            start: String(end - minutes * 60),
            end: String(end),
            step: String(step),
          }))) as { result: unknown[] };
      seconds.push((performance.now() - startedAt) / 1000);
      series = result.length;
    }
    times.push({ panel, expr: query, seconds: quantile(seconds, 0.5), series });
  }
  return times;
}

/** Of the panels between its heading and the next. */
export function fleetQueries({ panels }: Dashboard): { panel: string; expr: string; isInstant: boolean }[] {
  const first = panels.findIndex(({ type, title }) => type === 'row' && title.startsWith('Fleet'));
  const after = panels.findIndex(({ type }, index) => type === 'row' && index > first);
  return panels
    .slice(first + 1, after)
    .flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, instant }) => ({ panel: title, expr, isInstant: instant === true })),
    );
}
