import type { Report } from './report.ts';
import { harmless } from './table.ts';

/** A configuration file, and the line that says what is wrong with it, which begins with its name. */
export interface CheckedFile {
  readonly file: string;
  /** Undefined where it is good. */
  readonly failure: string | undefined;
}

/** A line for each file; ends with 1 where one is bad. */
export function configReport(files: readonly CheckedFile[]): Report {
  return {
    data: { files },
    exitCode: files.some(({ failure }) => failure !== undefined) ? 1 : 0,
    text: () =>
      files.length === 0
        ? 'Nothing to check: neither --web.config.file nor --probe.file is set.'
        : files.map(({ file, failure }) => harmless(failure ?? `${file}: OK`)).join('\n'),
  };
}
