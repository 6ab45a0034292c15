import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import { droppedStderrLines } from '../kernel/stderr.ts';
import { NO_PROBES, type ProbesState } from '../probes/openProbes.ts';
import type { SamplingState } from '../snapshot/samplingState.ts';
import { NO_REFUSALS, type RefusalState } from '../status/refusalLedger.ts';
import { defineCanary } from './canary.ts';
import { defineConntrack } from './conntrack.ts';
import { defineDestinations } from './destinations.ts';
import { defineExhaustion } from './exhaustion.ts';
import { defineExporter } from './exporter.ts';
import { defineListeners } from './listeners.ts';
import { defineLocalAddresses } from './localAddresses.ts';
import { defineLog } from './log.ts';
import type { DefineMetricGroup } from './metricGroup.ts';
import { defineNamespaces } from './namespaces.ts';
import { defineOwners } from './owners.ts';
import { type ExpositionFormat, newRegistries, PaintedPart } from './paintedPart.ts';
import { defineProbes } from './probes.ts';
import { defineRange } from './range.ts';
import { defineRefusals, type RefusalsShown } from './refusals.ts';
import { defineSampler } from './sampler.ts';
import { defineSnat } from './snat.ts';
import { defineSockets } from './sockets.ts';

/** In the order in which they are exposed. */
const METRIC_GROUPS: readonly DefineMetricGroup[] = [
  defineRange,
  defineExhaustion,
  defineCanary,
  defineDestinations,
  defineLocalAddresses,
  defineSnat,
  defineConntrack,
  defineSockets,
  defineListeners,
  defineOwners,
  defineNamespaces,
  defineExporter,
  defineSampler,
];

/**
 * Milliseconds for which the metrics of the process itself are shown again. Reading them costs more than all the rest of a
 * scrape, and no scraper comes so often that it would see.
 */
const PROCESS_AGE_MS = 250;

export interface Exposition {
  /**
   * The whole exposition of one state, and of refusals, probes and the log as they are now. What has not changed is the same text,
   * made once.
   */
  render(state: SamplingState, format: ExpositionFormat): Promise<string>;
}

/**
 * @param withProcess also the metrics of this process (prom-client's defaults), or only `start`: when it started
 * @param probes asked anew for every exposition, as is the rest
 * @param refusals so far
 * @param droppedLines of the log, so far
 */
export function createExposition({
  withProcess,
  probes = () => NO_PROBES,
  refusals = () => NO_REFUSALS,
  droppedLines = droppedStderrLines,
}: {
  withProcess: boolean | 'start';
  probes?: () => ProbesState;
  refusals?: () => RefusalState;
  droppedLines?: () => number;
}): Exposition {
  const sampled = new PaintedPart(METRIC_GROUPS);
  const refusing = new PaintedPart([defineRefusals]);
  const probing = new PaintedPart([defineProbes]);
  const logging = new PaintedPart([defineLog]);
  const own = newRegistries();
  for (const register of Object.values(own)) {
    if (withProcess === 'start') defineStartTime(register);
    else if (withProcess) collectProcessMetrics(register);
  }
  const whole = new Map<ExpositionFormat, Whole>();
  let shownRefusals: RefusalsShown | undefined;

  function renderWhole(
    { state, refused, probed, dropped }: Shown,
    format: ExpositionFormat,
  ): Promise<string> {
    // All begun before the first is waited for: they tell of the same moment.
    const parts = [
      sampled.render(state, format),
      refusing.render(refused, format),
      logging.render(dropped, format),
      probing.render(probed, format),
    ];
    if (withProcess !== false) parts.push(own[format].metrics());
    return Promise.all(parts).then(joined);
  }
  return {
    async render(state, format) {
      const [refusalsNow, probed, dropped] = [refusals(), probes(), droppedLines()];
      const last = whole.get(format);
      const atMs = performance.now();
      const isFresh = withProcess !== true || (last !== undefined && atMs - last.atMs < PROCESS_AGE_MS);
      const isRefusedSame = last?.refused.sampling === state && last.refused.refusals === refusalsNow;
      const isSame = isRefusedSame && last.probed === probed && last.dropped === dropped;
      if (isSame && isFresh) return last.text;
      // The same object is not painted again, in the other format either.
      shownRefusals =
        shownRefusals?.sampling === state && shownRefusals.refusals === refusalsNow
          ? shownRefusals
          : { sampling: state, refusals: refusalsNow };
      const shown = { state, refused: shownRefusals, probed, dropped };
      const text = renderWhole(shown, format);
      whole.set(format, { ...shown, atMs, text });
      return text;
    },
  };
}

/** What an exposition tells of. */
interface Shown {
  readonly state: SamplingState;
  readonly refused: RefusalsShown;
  readonly probed: ProbesState;
  /** Lines of the log. */
  readonly dropped: number;
}

/** What was exposed last, and when. */
interface Whole extends Shown {
  readonly atMs: number;
  readonly text: Promise<string>;
}

/**
 * prom-client's defaults, without three gauges that are named like counters and whose sums the others give as well, and
 * without the sizes of each of V8's heap spaces: 27 series that tell only developers more than `nodejs_heap_size_*_bytes`.
 */
function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const what of ['handles', 'requests', 'resources']) {
    register.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  for (const what of ['total', 'used', 'available']) {
    register.removeSingleMetric(`nodejs_heap_space_size_${what}_bytes`);
  }
}

/** As prom-client has it. The rules tell by it what a counter of a new process counted from what it began with. */
function defineStartTime(register: Registry): void {
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    registers: [register],
  }).set(Math.round(Date.now() / 1000 - process.uptime()));
}

/** One exposition after the other; the end mark of OpenMetrics stands only at the end. */
function joined(parts: readonly string[]): string {
  return parts
    .map((text, index) => (index === parts.length - 1 ? text : text.replace(/\n# EOF\n$/, '\n')))
    .join('');
}
