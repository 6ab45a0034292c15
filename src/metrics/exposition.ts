import { collectDefaultMetrics, type Registry } from 'prom-client';
import { NO_PROBES, type ProbesState } from '../probes/openProbes.ts';
import type { SamplingState } from '../snapshot/samplingState.ts';
import { defineCanary } from './canary.ts';
import { defineDestinations } from './destinations.ts';
import { defineExhaustion } from './exhaustion.ts';
import { defineExporter } from './exporter.ts';
import { defineListeners } from './listeners.ts';
import { defineLocalAddresses } from './localAddresses.ts';
import type { DefineMetricGroup } from './metricGroup.ts';
import { defineNamespaces } from './namespaces.ts';
import { defineOwners } from './owners.ts';
import { type ExpositionFormat, newRegistries, PaintedPart } from './paintedPart.ts';
import { defineProbes } from './probes.ts';
import { defineRange } from './range.ts';
import { defineSockets } from './sockets.ts';

/** In the order in which they are exposed. */
const METRIC_GROUPS: readonly DefineMetricGroup[] = [
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

/**
 * Milliseconds for which the metrics of the process itself are shown again. Reading them costs more than all the rest of a
 * scrape, and no scraper comes so often that it would see.
 */
const PROCESS_AGE_MS = 250;

export interface Exposition {
  /** The whole exposition of one state, and of the probes as they are now. What has not changed is the same text, made once. */
  render(state: SamplingState, format: ExpositionFormat): Promise<string>;
}

/**
 * @param withProcess also the metrics of this process (prom-client's defaults)
 * @param probes asked anew for every exposition
 */
export function createExposition({
  withProcess,
  probes = () => NO_PROBES,
}: {
  withProcess: boolean;
  probes?: () => ProbesState;
}): Exposition {
  const sampled = new PaintedPart(METRIC_GROUPS);
  const probing = new PaintedPart([defineProbes]);
  const own = newRegistries();
  if (withProcess) for (const register of Object.values(own)) collectProcessMetrics(register);
  const whole = new Map<ExpositionFormat, Whole>();

  function renderWhole(state: SamplingState, probed: ProbesState, format: ExpositionFormat): Promise<string> {
    // All begun before the first is waited for: they tell of the same moment.
    const parts = [sampled.render(state, format), probing.render(probed, format)];
    if (withProcess) parts.push(own[format].metrics());
    return Promise.all(parts).then(joined);
  }
  return {
    async render(state, format) {
      const probed = probes();
      const last = whole.get(format);
      const atMs = performance.now();
      const isFresh = !withProcess || (last !== undefined && atMs - last.atMs < PROCESS_AGE_MS);
      if (last?.state === state && last.probed === probed && isFresh) return last.text;
      const text = renderWhole(state, probed, format);
      whole.set(format, { state, probed, atMs, text });
      return text;
    },
  };
}

/** What was exposed last, and when. */
interface Whole {
  readonly state: SamplingState;
  readonly probed: ProbesState;
  readonly atMs: number;
  readonly text: Promise<string>;
}

/** prom-client's defaults, without three gauges that are named like counters and whose sums the others give as well. */
function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const what of ['handles', 'requests', 'resources']) {
    register.removeSingleMetric(`nodejs_active_${what}_total`);
  }
}

/** One exposition after the other; the end mark of OpenMetrics stands only at the end. */
function joined(parts: readonly string[]): string {
  return parts
    .map((text, index) => (index === parts.length - 1 ? text : text.replace(/\n# EOF\n$/, '\n')))
    .join('');
}
