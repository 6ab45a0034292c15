import { ExporterError } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import type { Options } from './cli/options.ts';
import { samplerSettings } from './cli/samplerSettings.ts';
import { createExposition } from './metrics/exposition.ts';
import { CanaryReporter } from './sampler/canaryReporter.ts';
import { CollectorReporter } from './sampler/collectorReporter.ts';
import { ownFailure } from './sampler/failure.ts';
import { openRounds } from './sampler/sample.ts';

/**
 * One exposition of one sample, for textfile collectors and for a look. Without this process's own metrics, which
 * would collide with those of the program that exposes the file. Throws an ExporterError where any part of the own
 * namespace failed; what else failed is in it.
 */
export async function renderOnce(options: Options, log: Logger): Promise<string> {
  const rounds = openRounds(samplerSettings(options), log);
  try {
    const snapshot = rounds.sample();
    const failed = ownFailure(snapshot);
    if (failed !== undefined) throw new ExporterError(`collector ${failed.collector}: ${failed.error}`);
    for (const Reporter of [CollectorReporter, CanaryReporter]) new Reporter(log).report(snapshot);
    return await createExposition({ withProcess: false }).render({ kind: 'sampled', snapshot }, 'text');
  } finally {
    rounds.close();
  }
}
