import { parentPort, workerData } from 'node:worker_threads';
import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Recorder } from '../kernel/recorder.ts';
import type { WorkerMessage } from '../snapshot/workerMessage.ts';
import { cannotRecord, openRecorder, trySaveRecording } from './recording.ts';
import type { SamplingOptions } from './samplingOptions.ts';
import { openSession, type SamplingSession } from './session.ts';

/** How late a sample may be that took as long as the last one, or is the first. */
const GRACE_MS = 10_000;
const GRACE_FACTOR = 10;

const options = workerData as SamplingOptions;
let session: SamplingSession | undefined;
let recorder: Recorder | undefined;
let lastDurationMs = 0;
const log = forwardingLogger();

await start();

/** The sampling thread: one sample after the other, each with a message before and after it. */
async function start(): Promise<void> {
  recorder = await openRecorder(options).catch((error: unknown) => cannotRecord(log, error));
  try {
    session = openSession(options, log, { recorder });
  } catch (error) {
    saveOnce();
    say({ kind: 'failed', reason: errorLine(error) });
    return;
  }
  sampleAndWait(session);
}

function sampleAndWait(opened: SamplingSession): void {
  const startedAt = performance.now();
  say({ kind: 'sampling', nextWithinMs: GRACE_MS + GRACE_FACTOR * lastDurationMs });
  const snapshot = opened.sample();
  lastDurationMs = snapshot.durationSeconds * 1000;
  const waitMs = Math.max(0, snapshot.intervalSeconds * 1000 - (performance.now() - startedAt));
  say({ kind: 'sampled', nextWithinMs: waitMs + GRACE_MS, snapshot });
  saveOnce();
  setTimeout(sampleAndWait, waitMs, opened);
}

/** The recording of the first sample, or of why there is none. */
function saveOnce(): void {
  trySaveRecording(recorder, log);
  recorder = undefined;
}

function say(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

/** Lines are written by the main thread. */
function forwardingLogger(): Logger {
  const at =
    (level: keyof Logger) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      say({ kind: 'log', level, message, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
