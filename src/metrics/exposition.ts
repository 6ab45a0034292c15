import { collectDefaultMetrics, Registry } from 'prom-client';
import type { SamplingState } from '../sampler/state.ts';
import { defineDestinations } from './destinations.ts';
import { defineExhaustion } from './exhaustion.ts';
import { defineExporter } from './exporter.ts';
import type { DefineFamily } from './family.ts';
import { defineLocalAddresses } from './localAddresses.ts';
import { defineRange } from './range.ts';
import { defineSockets } from './sockets.ts';

/** In the order in which they are exposed. */
const FAMILIES: readonly DefineFamily[] = [
  defineRange,
  defineExhaustion,
  defineDestinations,
  defineLocalAddresses,
  defineSockets,
  defineExporter,
];

/** Prometheus text format 0.0.4 or OpenMetrics 1.0.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

export interface Exposition {
  /** The whole exposition of one state. */
  render(state: SamplingState, format: ExpositionFormat): Promise<string>;
}

/** @param withProcess also the metrics of this process (prom-client's defaults) */
export function createExposition({ withProcess }: { withProcess: boolean }): Exposition {
  // prom-client fixes one content type a registry: every metric is registered in both.
  const registries = { text: new Registry(), openmetrics: new Registry() };
  registries.openmetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  const families = FAMILIES.map((define) => define(Object.values(registries)));
  if (withProcess) for (const register of Object.values(registries)) collectDefaultMetrics({ register });
  return {
    async render(state, format) {
      for (const family of families) {
        family.clear();
        family.paint(state);
      }
      // Reads every painted gauge before it first waits: nothing can be painted in between.
      return await registries[format].metrics();
    },
  };
}
