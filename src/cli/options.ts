import type { LogOptions } from '../base/logger.ts';
import type { ProbeOptions } from '../probes/openProbes.ts';
import type { SamplingOptions } from '../sampling/samplingOptions.ts';
import { LOG_FLAGS, logOptions } from './flags/log.ts';
import { MODE_FLAGS } from './flags/mode.ts';
import { mountsOf, PATH_FLAGS } from './flags/paths.ts';
import { PROBE_FLAGS, probeOptions } from './flags/probes.ts';
import { SAMPLING_FLAGS, samplingOptions } from './flags/sampling.ts';
import { limitsOf, SERIES_FLAGS } from './flags/series.ts';
import { WEB_FLAGS, type WebOptions, webOptions } from './flags/web.ts';
import type { FlagValues } from './readFlags.ts';

/** What the exporter was told to do. Frozen throughout. */
export interface Options {
  readonly web: WebOptions;
  readonly sampling: SamplingOptions;
  readonly probes: ProbeOptions;
  readonly log: LogOptions;
}

/** Every flag of the exporter itself, in the order of the help text. */
export const OPTION_FLAGS = {
  ...WEB_FLAGS,
  ...SAMPLING_FLAGS,
  ...PROBE_FLAGS,
  ...SERIES_FLAGS,
  ...PATH_FLAGS,
  ...LOG_FLAGS,
  ...MODE_FLAGS,
};

export function toOptions(values: FlagValues<typeof OPTION_FLAGS>): Options {
  const web = webOptions(values);
  return deepFreeze({
    web,
    sampling: samplingOptions(values, {
      limits: limitsOf(values),
      ...mountsOf(values),
      // Who asks once waits for the whole answer.
      hasBudget: !values.once,
      // For the page alone.
      destinationOwners: web.page,
      keepsConnections: false,
      recordFile: values['debug.record'],
    }),
    probes: probeOptions(values),
    log: logOptions(values),
  });
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}
