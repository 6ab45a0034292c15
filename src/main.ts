#!/usr/bin/env node
import './base/v8Flags.ts';
import { constants } from 'node:os';
import { ExporterError, errorCode, errorLine } from './base/errors.ts';
import { escapeInvisible } from './base/logfmt.ts';
import { createLogger } from './base/logger.ts';
import { answer, quietUnlessAsked } from './cli/answer.ts';
import { parseCommandLine } from './cli/commandLine.ts';
import { HangUps } from './cli/hangUps.ts';
import type { Options } from './cli/options.ts';
import type { Query } from './cli/query.ts';
import { exitNow } from './kernel/libc.ts';
import { renderOnce } from './once.ts';
import { printReport, type Report } from './reports/report.ts';
import { terminalOf } from './reports/terminal.ts';

/** What a program ends with that was told to end. */
const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

try {
  const invocation = await parseCommandLine(process.argv.slice(2), process.env);
  if (invocation.kind === 'print') await print(`${invocation.text}\n`);
  else if (invocation.kind === 'query') await runQuery(invocation.query);
  else if (invocation.kind === 'report') {
    const report = await invocation.report();
    await show(report, invocation.asJson);
    // A lookup that hangs would be waited for.
    end(report.exitCode);
  } else await run(invocation.options);
} catch (error) {
  process.stderr.write(`port-exporter: ${escapeInvisible(lineOf(error))}\n`);
  end(1);
}

/** Anything but an ExporterError is a defect, which is one line too; its stack is for whoever asks for it. */
function lineOf(thrown: unknown): string {
  if (thrown instanceof ExporterError) return errorLine(thrown);
  const isDebugging = process.env['PORT_EXPORTER_LOG_LEVEL'] === 'debug';
  if (isDebugging) console.error(thrown);
  const request = isDebugging
    ? 'report it with the stack trace above'
    : 'set PORT_EXPORTER_LOG_LEVEL=debug for the stack trace, and report it';
  return `internal error: ${errorLine(thrown)}; ${request}`;
}

/** Asks once, on this thread. */
async function runQuery(query: Query): Promise<void> {
  const report = await answer(query);
  await show(report, query.asJson);
  process.exitCode = report.exitCode;
}

async function show(report: Report, asJson: boolean): Promise<void> {
  try {
    await print(`${printReport(report, asJson, terminalOf(process.stdout, process.env))}\n`);
  } catch (error) {
    // A reader that has seen enough, as in `| head`, is no failure: the status is what SIGPIPE would leave.
    if (error instanceof ExporterError && errorCode(error.cause) === 'EPIPE')
      end(128 + constants.signals.SIGPIPE);
    throw error;
  }
}

async function run(options: Options): Promise<void> {
  if (options.once) {
    await print(await renderOnce(options, createLogger(quietUnlessAsked(options))));
    // As above.
    end(0);
  }
  const log = createLogger(options.log);
  // Until there is something to reload it must not end the program either, which is what it does by default.
  const hangUps = new HangUps(log);
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of END_SIGNALS) process.once(signal, resolve);
  });
  // The commands that ask once do without the web and all that comes with it.
  const { startDaemon } = await import('./daemon.ts');
  const daemon = await Promise.race([startDaemon(options, log), ended]);
  if (typeof daemon !== 'string') hangUps.reloadWith(() => daemon.reload());
  log.info('stopping', { signal: await ended });
  // A signal that comes while the first sample is still being taken leaves nothing to stop.
  if (typeof daemon !== 'string') await daemon.stop();
  end(0);
}

/** Writes to stdout, which may be a full disk or a pipe that nobody reads any more. */
async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.once('error', (cause) => reject(new ExporterError('writing to stdout', { cause })));
    process.stdout.write(text, (error) => {
      // An error is told by the event, which would end the process if nobody listened.
      if (!error) resolve();
    });
  });
}

/** process.exit() joins every thread, and so waits for ever for one that hangs in a system call. */
function end(code: number): never {
  try {
    exitNow(code);
  } catch {
    // Without the FFI library that is all there is.
  }
  process.exit(code);
}
