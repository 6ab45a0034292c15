import { createLogger } from '../base/createLogger.ts';
import type { LogFormat, Logger, LogOptions } from '../base/logger.ts';
import { stderrLines } from '../kernel/stderr.ts';

/** The log on stderr, which never holds up who logs. */
export function openLog(options: LogOptions): Logger {
  const lines = stderrLines();
  lines.tellDropped = (count) => droppedLine(options.format, count);
  return createLogger(options, (line) => lines.write(line));
}

/** Whatever the level is: lines of it were dropped. */
function droppedLine(format: LogFormat, count: number): string {
  let text = '';
  createLogger({ level: 'warn', format }, (line) => {
    text = line;
  }).warn('log lines dropped', { lines: count });
  return text;
}
