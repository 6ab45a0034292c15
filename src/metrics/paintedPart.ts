import { Registry } from 'prom-client';
import type { DefineMetricGroup } from './metricGroup.ts';

/** Prometheus text format 0.0.4 or OpenMetrics 1.0.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

/** Families that are painted from one state, in registries of their own. */
export class PaintedPart<State> {
  readonly #registries = newRegistries();
  readonly #families: readonly ReturnType<DefineMetricGroup<State>>[];
  /** What a state looks like does not change: it is painted once, however often it is scraped. */
  readonly #painted = new Map<ExpositionFormat, { readonly state: State; readonly text: Promise<string> }>();

  constructor(define: readonly DefineMetricGroup<State>[]) {
    this.#families = define.map((family) => family(Object.values(this.#registries)));
  }

  /** The state is painted before this returns. */
  render(state: State, format: ExpositionFormat): Promise<string> {
    const last = this.#painted.get(format);
    if (last?.state === state) return last.text;
    for (const family of this.#families) {
      family.clear();
      family.paint(state);
    }
    // Reads every painted gauge before it first waits: nothing can be painted in between.
    const text = this.#registries[format].metrics();
    this.#painted.set(format, { state, text });
    return text;
  }
}

/** prom-client fixes one content type a registry: every metric is registered in both. */
export function newRegistries(): Record<ExpositionFormat, Registry> {
  const registries = { text: new Registry(), openmetrics: new Registry() };
  registries.openmetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  return registries;
}
