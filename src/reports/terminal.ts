import type { WriteStream } from 'node:tty';

/** Where a report is printed. */
export interface Terminal {
  /** Columns a line may have; undefined where nothing limits it: a file, a pipe. */
  readonly columns: number | undefined;
  readonly hasColor: boolean;
}

/** Colour only on a terminal, and never with NO_COLOR set (no-color.org). */
export function terminalOf(
  stream: WriteStream | NodeJS.WriteStream,
  environment: NodeJS.ProcessEnv,
): Terminal {
  const isTerminal = stream.isTTY === true;
  const refused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  return {
    columns: isTerminal && stream.columns > 0 ? stream.columns : undefined,
    hasColor: isTerminal && !refused,
  };
}
