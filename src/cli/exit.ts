import { inspect } from 'node:util';
import { ExporterError, errorLine } from '../base/errors.ts';
import { escapeInvisible } from '../base/logfmt.ts';
import { exitNow } from '../kernel/ownProcess.ts';
import { flushStderr, stderrLines } from '../kernel/stderr.ts';

/** Ends the process at once. process.exit() joins every thread, and so waits for ever for one that hangs in a system call. */
export function exit(code: number): never {
  flushStderr();
  try {
    exitNow(code);
  } catch {
    // Without the FFI library that is all there is.
  }
  process.exit(code);
}

/** Says in one line on stderr what went wrong, and exits with 1. */
export function exitWithError(thrown: unknown): never {
  stderrLines().write(`port-exporter: ${escapeInvisible(lineOf(thrown))}\n`);
  exit(1);
}

/** Anything but an ExporterError is a defect, which is one line too; its stack is for whoever asks for it. */
function lineOf(thrown: unknown): string {
  if (thrown instanceof ExporterError) return errorLine(thrown);
  const isDebugging = process.env['PORT_EXPORTER_LOG_LEVEL'] === 'debug';
  if (isDebugging) stderrLines().write(`${inspect(thrown)}\n`);
  const request = isDebugging
    ? 'report it with the stack trace above'
    : 'set PORT_EXPORTER_LOG_LEVEL=debug for the stack trace and report it';
  return `internal error: ${errorLine(thrown)}; ${request}`;
}
