import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Recorder } from '../kernel/recorder.ts';
import type { SamplingOptions } from './samplingOptions.ts';

/** The recorder that was asked for, or none. Rejects with an ExporterError where its file cannot be created. */
export async function openRecorder({
  recordFile,
  procfs,
}: Pick<SamplingOptions, 'recordFile' | 'procfs'>): Promise<Recorder | undefined> {
  if (recordFile === undefined) return undefined;
  // Where nothing is recorded, neither this nor the compression it takes is loaded.
  const { Recorder } = await import('../kernel/recorder.ts');
  return new Recorder(recordFile, procfs);
}

/** Writes the recording, if there is one, and says so. Throws an ExporterError where that is refused. */
export function saveRecording(recorder: Recorder | undefined, log: Logger): void {
  if (recorder === undefined) return;
  // A warning: somebody will send the file to somebody else.
  log.warn('recorded the kernel answers to one sample, with addresses, ports and user ids of sockets', {
    ...recorder.save(),
  });
}

/** saveRecording() for what goes on or has failed already: where it is refused, the log says why. Throws what is a defect. */
export function trySaveRecording(recorder: Recorder | undefined, log: Logger): void {
  try {
    saveRecording(recorder, log);
  } catch (error) {
    cannotRecord(log, error);
  }
}

/** Says why there is no recording: a daemon samples on without it. Throws what is a defect. */
export function cannotRecord(log: Logger, error: unknown): undefined {
  if (!(error instanceof ExporterError)) throw error;
  log.error('failed to record a sample', { error: errorLine(error) });
}
