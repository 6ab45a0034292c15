import { constants } from 'node:os';
import { ExporterError, errorCode } from '../base/errors.ts';
import { printReport, type Report } from '../reports/report.ts';
import { terminalOf } from '../reports/terminal.ts';
import { exit } from './exit.ts';

/** Writes to stdout, which may be a full disk or a pipe that nobody reads any more. Rejects with an ExporterError. */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.once('error', (cause) => reject(new ExporterError('writing to stdout', { cause })));
    process.stdout.write(text, (error) => {
      // An error is told by the event, which would end the process if nobody listened.
      if (!error) resolve();
    });
  });
}

/** Prints a report as JSON, or as the terminal wants it. */
export async function show(report: Report, asJson: boolean): Promise<void> {
  try {
    await print(`${printReport(report, asJson, terminalOf(process.stdout, process.env))}\n`);
  } catch (error) {
    // A reader that has seen enough, as in `| head`, is no failure: the status is what SIGPIPE would leave.
    if (error instanceof ExporterError && errorCode(error.cause) === 'EPIPE')
      exit(128 + constants.signals.SIGPIPE);
    throw error;
  }
}
