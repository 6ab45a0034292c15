import '../base/noInspector.ts';
import '../base/v8Flags.ts';
import { Socket } from 'node:net';
import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { writeMessage } from '../base/messageStream.ts';
import { dieWithParent } from '../kernel/ownProcess.ts';
import type { Recorder } from '../kernel/recorder.ts';
import type { SamplerMessage } from '../snapshot/samplerMessage.ts';
import { OPTIONS_VARIABLE, readOptions, SPEAKING_FD } from './handover.ts';
import { cannotRecord, openRecorder, trySaveRecording } from './recording.ts';
import { openRefusalReports, type RefusalReports } from './refusalReports.ts';
import { openSession, type SamplingSession } from './session.ts';
import { ownUsage } from './usage.ts';

// A program of its own, which samples: one sample after the other, each with a message before and after it. It has the
// capabilities, and neither listens nor reads a configuration file.

/**
 * How often it is looked whether the kernel refused a call: what a scrape does not show, the next one shall. Less often where
 * calls fail all the time, since the kernel has to wait for its own programs then.
 */
const REFUSALS_MS = 200;
const REFUSALS_BUSY_MS = 1000;

/** How late a sample may be that took as long as the last one, or is the first. */
const GRACE_MS = 10_000;
const GRACE_FACTOR = 10;

// Those are for the process that serves, but a terminal or a service manager sends them to all.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
const options = readOptions(process.env[OPTIONS_VARIABLE] ?? '');
const speaking = new Socket({ fd: SPEAKING_FD });
// Nobody hears it any more.
for (const event of ['end', 'close', 'error'] as const) speaking.on(event, () => process.exit(0));
speaking.resume();
process.on('uncaughtException', (error) => {
  say({ kind: 'died', reason: errorLine(error) });
  process.exit(1);
});
const log = forwardingLogger();
try {
  dieWithParent();
} catch (error) {
  // Without the FFI library the end of the socket has to do, which is noticed between two samples.
  if (!(error instanceof ExporterError)) throw error;
}
let recorder: Recorder | undefined;
let lastDurationMs = 0;

await start();

async function start(): Promise<void> {
  recorder = await openRecorder(options).catch((error: unknown) => cannotRecord(log, error));
  let session: SamplingSession;
  try {
    session = openSession(options, log, { recorder });
  } catch (error) {
    saveOnce();
    say({ kind: 'failed', reason: errorLine(error) });
    return;
  }
  const reports = openRefusalReports(options, session.names, log);
  if (reports !== undefined) tellRefusals(reports);
  sampleAndWait(session);
}

function tellRefusals(reports: RefusalReports): void {
  const report = reports.next();
  const isTaken = report === undefined || say({ kind: 'refused', report });
  const waitMs = report === undefined ? REFUSALS_MS : REFUSALS_BUSY_MS;
  const next = () => setTimeout(tellRefusals, waitMs, reports);
  if (isTaken) next();
  else speaking.once('drain', next);
}

function sampleAndWait(session: SamplingSession): void {
  const startedAt = performance.now();
  say({ kind: 'sampling', nextWithinMs: GRACE_MS + GRACE_FACTOR * lastDurationMs });
  const snapshot = session.sample();
  lastDurationMs = snapshot.durationSeconds * 1000;
  const waitMs = Math.max(0, snapshot.intervalSeconds * 1000 - (performance.now() - startedAt));
  const isTaken = say({ kind: 'sampled', nextWithinMs: waitMs + GRACE_MS, snapshot, usage: ownUsage() });
  saveOnce();
  const next = () => setTimeout(sampleAndWait, waitMs, session);
  // Samples that nobody takes must not pile up.
  if (isTaken) next();
  else speaking.once('drain', next);
}

/** The recording of the first sample, or of why there is none. */
function saveOnce(): void {
  trySaveRecording(recorder, log);
  recorder = undefined;
}

/** False where the other end has yet to read what was said. */
function say(message: SamplerMessage): boolean {
  return writeMessage(speaking, message);
}

/** Lines are written by the process that serves. */
function forwardingLogger(): Logger {
  const at =
    (level: keyof Logger) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      void say({ kind: 'log', level, message, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
