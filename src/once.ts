import { ExporterError } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import { openLog } from './cli/log.ts';
import type { Options } from './cli/options.ts';
import { quietUnlessAsked } from './cli/quietUnlessAsked.ts';
import { monotonicMs } from './kernel/clock.ts';
import type { Recorder } from './kernel/recorder.ts';
import { createExposition } from './metrics/exposition.ts';
import { openProbes, type Probes } from './probes/openProbes.ts';
import { openRecorder, saveRecording, trySaveRecording } from './sampling/recording.ts';
import type { SamplingOptions } from './sampling/samplingOptions.ts';
import { openSession, type SamplingSession } from './sampling/session.ts';
import { ownFailure } from './snapshot/failure.ts';
import { CanaryReporter } from './supervisor/canaryReporter.ts';
import { CollectorReporter } from './supervisor/collectorReporter.ts';

/**
 * One exposition of one sample, for textfile collectors and for a look. Without this process's own metrics, which
 * would collide with those of the program that exposes the file. Throws an ExporterError where any part of the own
 * namespace failed, the probe file is bad, or a recording that was asked for cannot be written; what else failed is in it.
 */
export async function renderOnce(options: Options): Promise<string> {
  const log = openLog(quietUnlessAsked(options));
  const probes = await openProbes(options.probes, log);
  const { sampling } = options;
  const recorder = await openRecorder(sampling);
  let exposition: string;
  try {
    exposition = await sampleOnce({ sampling, log, probes, recorder });
  } catch (error) {
    // The recording shows why. Where it cannot be written that must not be all that is told.
    trySaveRecording(recorder, log);
    throw error;
  }
  saveRecording(recorder, log);
  return exposition;
}

async function sampleOnce({
  sampling,
  log,
  probes,
  recorder,
}: {
  readonly sampling: SamplingOptions;
  readonly log: Logger;
  readonly probes: Probes;
  readonly recorder: Recorder | undefined;
}): Promise<string> {
  let session: SamplingSession | undefined;
  try {
    session = openSession(sampling, log, { recorder });
    await probes.probeAll();
    const snapshot = session.sample();
    const failed = ownFailure(snapshot);
    if (failed !== undefined) throw new ExporterError(`collector ${failed.collector}: ${failed.error}`);
    for (const Reporter of [CollectorReporter, CanaryReporter]) new Reporter(log).report(snapshot);
    const exposition = createExposition({ withProcess: false, probes: () => probes.state });
    return await exposition.render({ kind: 'sampled', snapshot, receivedAtMs: monotonicMs() }, 'text');
  } finally {
    probes.stop();
    session?.close();
  }
}
