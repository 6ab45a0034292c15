import type { Report } from '../reports/report.ts';
import type { Options } from './options.ts';
import type { Query } from './query.ts';
import type { Environment, Flags } from './readFlags.ts';

/**
 * What the command line asks for: to serve metrics, to print them once, to answer a question from a sample, to find something out without
 * one, to watch and print what happens until the exit code is known, or to print a text (no newline at its end).
 */
export type Invocation =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'once'; readonly options: Options }
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'report'; readonly asJson: boolean; readonly report: () => Promise<Report> }
  | { readonly kind: 'watch'; readonly watch: () => Promise<number> }
  | { readonly kind: 'print'; readonly text: string };

/** A yargs command: its flags, and what it asks for once they are parsed. */
export interface Command {
  /** yargs's pattern: `$0` for the default command, else the name and its positionals. */
  readonly pattern: string;
  readonly describe: string;
  /** Help texts of the positionals in the pattern. */
  readonly positionals?: Readonly<Record<string, string>>;
  /** What words beside the flags may be, for a shell to complete; undefined where that is open. */
  readonly suggests?: readonly string[];
  readonly flags: Flags;
  /** Throws an ExporterError for a value that does not fit. */
  invoke(commandLine: Readonly<Record<string, unknown>>, environment: Environment): Invocation;
}
