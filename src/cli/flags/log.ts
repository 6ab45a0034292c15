import { LOG_FORMATS, LOG_LEVELS, type LogOptions } from '../../base/logger.ts';
import { single } from '../flag.ts';
import type { FlagValues } from '../readFlags.ts';
import { oneOf } from '../values.ts';

const LOG = 'Log:';

export const LOG_FLAGS = {
  'log.level': single(
    {
      group: LOG,
      describe: `Minimum level to log: ${LOG_LEVELS.join(', ')}`,
      default: 'info',
      suggests: LOG_LEVELS,
    },
    oneOf(LOG_LEVELS),
  ),
  'log.format': single(
    {
      group: LOG,
      describe: `Format of log lines: ${LOG_FORMATS.join(' or ')}`,
      default: 'logfmt',
      suggests: LOG_FORMATS,
    },
    oneOf(LOG_FORMATS),
  ),
};

export function logOptions(values: FlagValues<typeof LOG_FLAGS>): LogOptions {
  return { level: values['log.level'], format: values['log.format'] };
}
