import { parsePeriod } from '../base/duration.ts';
import { ExporterError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { optional, toggle } from './flag.ts';
import { NETNS_ONLY } from './netns.ts';
import { QUERY_FLAGS } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';

const WATCH = 'Watch:';
const DEFAULT_MS = 10_000;

const FLAGS = {
  json: toggle({ group: 'Output:', describe: 'Print a JSON object in each line' }),
  netns: NETNS_ONLY,
  'path.procfs': QUERY_FLAGS['path.procfs'],
  'path.sysfs': QUERY_FLAGS['path.sysfs'],
  follow: toggle({ group: WATCH, describe: 'Watch until Ctrl-C, then show a summary' }),
  for: optional(
    { group: WATCH, describe: 'Watch for so long, then show a summary; default: 10s' },
    parsePeriod,
  ),
};

/** What `tail` would show if the kernel logged them. */
export const refusalsCommand: Command = {
  pattern: 'refusals',
  describe:
    'Show connect() and bind() calls of the whole host that are refused for want of a port, as they happen; (likely) marks ' +
    'retries on a descriptor, which other causes can look like; exit with 0 whether any is refused or not',
  flags: FLAGS,
  invoke(commandLine, environment) {
    const { json, netns, follow, for: forMs, ...paths } = readFlags(FLAGS, commandLine, environment);
    if (follow && forMs !== undefined)
      throw new ExporterError('--for: not with --follow, which ends with Ctrl-C');
    return {
      kind: 'watch',
      async watch() {
        const { watchRefusals } = await import('./watchRefusals.ts');
        return watchRefusals({
          ...{ netns, procfs: paths['path.procfs'], sysfs: paths['path.sysfs'], asJson: json },
          forMs: follow ? undefined : (forMs ?? DEFAULT_MS),
        });
      },
    };
  },
};
