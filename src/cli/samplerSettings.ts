import type { SamplerSettings } from '../sampler/settings.ts';
import type { Options } from './options.ts';

/** What of the options the sampling thread needs. */
export function samplerSettings(options: Options): SamplerSettings {
  return {
    ...options.sample,
    limits: { destinations: options.destinationsLimit, localAddresses: options.localAddressesLimit },
    peakWindowMs: options.peakWindowMs,
    procfs: options.procfs,
  };
}
