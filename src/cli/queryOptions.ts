import type { Invocation } from './command.ts';
import { toggle } from './flag.ts';
import { NETNS_OR_ALL } from './netns.ts';
import { OPTION_FLAGS, toOptions } from './options.ts';
import type { Query } from './query.ts';
import { type FlagValues, readFlags } from './readFlags.ts';

const OUTPUT = 'Output:';

/** Flags of every command that asks the kernel once: those of sampling, and how to print. */
export const QUERY_FLAGS = {
  json: toggle({ group: OUTPUT, describe: 'Print JSON' }),
  netns: NETNS_OR_ALL,
  'sample.source': OPTION_FLAGS['sample.source'],
  'path.procfs': OPTION_FLAGS['path.procfs'],
  'path.sysfs': OPTION_FLAGS['path.sysfs'],
  'log.level': OPTION_FLAGS['log.level'],
  'log.format': OPTION_FLAGS['log.format'],
};

/** Nothing is left out of what a person asks for. */
const ALL_ROWS = {
  destinations: Number.MAX_SAFE_INTEGER,
  localAddresses: Number.MAX_SAFE_INTEGER,
  listeners: Number.MAX_SAFE_INTEGER,
  owners: Number.MAX_SAFE_INTEGER,
  // No command tells of it.
  snat: 0,
};

export function queryInvocation(
  values: FlagValues<typeof QUERY_FLAGS>,
  ask: Query['ask'],
  { processBudgetMs = 0, destinations = ALL_ROWS.destinations, connects = false } = {},
): Invocation {
  const { json, netns, ...given } = values;
  // What else the exporter was told, and may have been told wrongly, is none of a question's business.
  const { sampling, log } = toOptions({ ...readFlags(OPTION_FLAGS, {}, {}), ...given });
  const options: Query['options'] = {
    log,
    sampling: {
      ...sampling,
      limits: { ...ALL_ROWS, destinations },
      namespaces: 'self',
      processBudgetMs,
      // The answer is looked at again: who holds what.
      keepsConnections: true,
    },
  };
  return { kind: 'query', query: { options, netns, connects, asJson: json, ask } };
}
