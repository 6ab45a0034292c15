import { constants } from 'node:os';
import { ExporterError, errorCode } from '../base/errors.ts';
import { printReport, type Report } from '../reports/report.ts';
import { terminalOf } from '../reports/terminal.ts';
import { exit } from './exit.ts';

/** Writes to stdout, which may be a full disk or a pipe that nobody reads any more. Rejects with an ExporterError. */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: unknown) => reject(new ExporterError('writing to stdout', { cause }));
    process.stdout.once('error', fail);
    process.stdout.write(text, (error) => {
      // An error is told by the event, which would end the process if nobody listened.
      if (error) return;
      process.stdout.off('error', fail);
      resolve();
    });
  });
}

/** What a command ends with whose reader has seen enough, as in `| head`: no failure, but what SIGPIPE would leave. */
export const UNREAD = 128 + constants.signals.SIGPIPE;

/** As `print`, for what may have such a reader. */
export async function printWhileRead(text: string): Promise<void> {
  try {
    await print(text);
  } catch (error) {
    if (error instanceof ExporterError && errorCode(error.cause) === 'EPIPE') exit(UNREAD);
    throw error;
  }
}

/** Prints a report as JSON, or as the terminal wants it. */
export async function show(report: Report, asJson: boolean): Promise<void> {
  await printWhileRead(`${printReport(report, asJson, terminalOf(process.stdout, process.env))}\n`);
}
