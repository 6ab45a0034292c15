import { pino } from 'pino';
import { errorLine } from './errors.ts';
import { escapeInvisible, logfmtLine } from './logfmt.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['logfmt', 'json'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** Writes `message` and, after it, `fields`. An Error among the fields is shown as its one line, never as a stack. */
type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface Logger {
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

/** A logger of whole lines. `write` gets one line with its newline, before the call that logs it returns. */
export function createLogger({ level, format }: LogOptions, write: (line: string) => void): Logger {
  const encode = format === 'json' ? (json: string) => json : logfmtOfJson;
  const sink = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json) => write(`${escapeInvisible(encode(json.trimEnd()))}\n`) },
  );
  const at =
    (name: LogLevel): Log =>
    (message, fields = {}) =>
      sink[name](withErrorLines(fields), message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

const nothing: Log = () => {};

/** For whoever must be given a logger and has nothing to say. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function logfmtOfJson(json: string): string {
  const { time, level, msg, ...fields }: Record<string, unknown> = JSON.parse(json);
  return logfmtLine({ time, level, msg, ...fields });
}

function withErrorLines(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? errorLine(value) : value]),
  );
}
