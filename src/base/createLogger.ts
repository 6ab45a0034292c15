import { pino } from 'pino';
import { errorLine } from './errors.ts';
import { escapeInvisible, logfmtLine } from './logfmt.ts';
import type { Log, Logger, LogLevel, LogOptions } from './logger.ts';

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

function logfmtOfJson(json: string): string {
  const { time, level, msg, ...fields }: Record<string, unknown> = JSON.parse(json);
  return logfmtLine({ time, level, msg, ...fields });
}

function withErrorLines(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? errorLine(value) : value]),
  );
}
