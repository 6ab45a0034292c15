import { collectDefaultMetrics, Registry } from 'prom-client';
import type { SamplingState } from '../sampler/state.ts';
import { defineCanary } from './canary.ts';
import { defineDestinations } from './destinations.ts';
import { defineExhaustion } from './exhaustion.ts';
import { defineExporter } from './exporter.ts';
import type { DefineFamily } from './family.ts';
import { defineListeners } from './listeners.ts';
import { defineLocalAddresses } from './localAddresses.ts';
import { defineNamespaces } from './namespaces.ts';
import { defineOwners } from './owners.ts';
import { defineRange } from './range.ts';
import { defineSockets } from './sockets.ts';

/** In the order in which they are exposed. */
const FAMILIES: readonly DefineFamily[] = [
  defineRange,
  defineExhaustion,
  defineCanary,
  defineDestinations,
  defineLocalAddresses,
  defineSockets,
  defineListeners,
  defineOwners,
  defineNamespaces,
  defineExporter,
];

/** Prometheus text format 0.0.4 or OpenMetrics 1.0.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

/**
 * Milliseconds for which the metrics of the process itself are shown again. Reading them costs more than all the rest of a
 * scrape, and no scraper comes so often that it would see.
 */
const PROCESS_AGE_MS = 250;

export interface Exposition {
  /** The whole exposition of one state. What has not changed is the same text, made once. */
  render(state: SamplingState, format: ExpositionFormat): Promise<string>;
}

/** @param withProcess also the metrics of this process (prom-client's defaults) */
export function createExposition({ withProcess }: { withProcess: boolean }): Exposition {
  const sampled = newRegistries();
  const families = FAMILIES.map((define) => define(Object.values(sampled)));
  const own = newRegistries();
  if (withProcess) for (const register of Object.values(own)) collectProcessMetrics(register);
  /** What a state looks like does not change: it is painted once, however often it is scraped. */
  const painted = new Map<
    ExpositionFormat,
    { readonly state: SamplingState; readonly text: Promise<string> }
  >();

  function renderSampled(state: SamplingState, format: ExpositionFormat): Promise<string> {
    const last = painted.get(format);
    if (last?.state === state) return last.text;
    for (const family of families) {
      family.clear();
      family.paint(state);
    }
    // Reads every painted gauge before it first waits: nothing can be painted in between.
    const text = sampled[format].metrics();
    painted.set(format, { state, text });
    return text;
  }
  const whole = new Map<
    ExpositionFormat,
    { readonly state: SamplingState; readonly atMs: number; readonly text: Promise<string> }
  >();

  async function renderWhole(state: SamplingState, format: ExpositionFormat): Promise<string> {
    const sampledText = renderSampled(state, format);
    return joined(await sampledText, await own[format].metrics());
  }
  return {
    async render(state, format) {
      if (!withProcess) return renderSampled(state, format);
      const last = whole.get(format);
      const atMs = performance.now();
      if (last?.state === state && atMs - last.atMs < PROCESS_AGE_MS) return last.text;
      const text = renderWhole(state, format);
      whole.set(format, { state, atMs, text });
      return text;
    },
  };
}

/** prom-client's defaults, without three gauges that are named like counters and whose sums the others give as well. */
function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const what of ['handles', 'requests', 'resources']) {
    register.removeSingleMetric(`nodejs_active_${what}_total`);
  }
}

/** prom-client fixes one content type a registry: every metric is registered in both. */
function newRegistries(): Record<ExpositionFormat, Registry> {
  const registries = { text: new Registry(), openmetrics: new Registry() };
  registries.openmetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  return registries;
}

/** One exposition after the other; the end mark of OpenMetrics stands only at the end. */
function joined(first: string, second: string): string {
  return `${first.replace(/\n# EOF\n$/, '\n')}${second}`;
}
