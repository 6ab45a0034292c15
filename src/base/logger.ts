export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['logfmt', 'json'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** Writes `message` and, after it, `fields`. An Error among the fields is shown as its one line, never as a stack. */
export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface Logger {
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

const nothing: Log = () => {};

/** For whoever must be given a logger and has nothing to say. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
