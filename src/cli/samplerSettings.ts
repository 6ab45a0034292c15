import type { SamplingOptions } from '../sampling/samplingOptions.ts';
import type { Options } from './options.ts';

/** What of the options the sampling thread needs. */
export function samplerSettings(options: Options): SamplingOptions {
  return {
    ...options.sample,
    limits: {
      destinations: options.destinationsLimit,
      localAddresses: options.localAddressesLimit,
      listeners: options.listenersLimit,
      owners: options.ownersLimit,
    },
    peakWindowMs: options.peakWindowMs,
    procfs: options.procfs,
    sysfs: options.sysfs,
    processBudgetMs: options.processBudgetMs,
    destinationOwners: options.web.page,
    canary: options.canary,
    // Who asks once waits for the whole answer.
    hasBudget: !options.once,
    namespaces: options.namespaces,
    namespacesLimit: options.namespacesLimit,
    fullDumpAbove: options.fullDumpAbove,
    recordFile: options.recordFile,
  };
}
