import { escapeInvisible } from '../base/logfmt.ts';
import type { Terminal } from './terminal.ts';

/** What a command answers: for a program, and for a person. */
export interface Report {
  /** Plain data for JSON: names in camelCase, numbers as numbers, and what is not known is not there. */
  readonly data: unknown;
  /** 1 where what was asked for by name is not there, as lsof and grep end; 130 where Ctrl-C cut it short. */
  readonly exitCode: 0 | 1 | 130;
  /** No newline at its end. */
  text(terminal: Terminal): string;
}

export function printReport(report: Report, asJson: boolean, terminal: Terminal): string {
  if (!asJson) return report.text(terminal);
  // JSON itself escapes only what is below U+0020; what else it may hold stands in strings, where this is the same.
  return JSON.stringify(report.data, null, 2).split('\n').map(escapeInvisible).join('\n');
}
