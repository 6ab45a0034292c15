import { destinationsReport } from '../reports/destinationsReport.ts';
import type { Command } from './command.ts';
import { single } from './flag.ts';
import type { Query } from './query.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { sampledNamespace } from './sampledNamespace.ts';
import { parseLimit } from './values.ts';

const FLAGS = {
  ...QUERY_FLAGS,
  limit: single(
    { group: 'Output:', describe: 'Destinations to show, the fullest first', default: '20' },
    parseLimit,
  ),
};

/** Which destinations use up the ports. */
export const destinationsCommand: Command = {
  pattern: 'destinations',
  describe: 'The fullest destinations of TCP connect(), and how many more connects succeed',
  flags: FLAGS,
  invoke(commandLine, environment) {
    const { limit, ...values } = readFlags(FLAGS, commandLine, environment);
    const ask: Query['ask'] = (rounds) => {
      const namespace = sampledNamespace(rounds);
      const shown = namespace.tcp.destinations.fullest;
      const holders = shown.length === 0 ? [] : rounds.holdersOf(shown);
      const rows = shown.map((destination, index) => ({
        destination,
        holders: holders[index] ?? { owners: [], timeWaitLeftMs: [] },
      }));
      return destinationsReport(namespace, rows);
    };
    return queryInvocation(values, ask, { destinationsLimit: limit });
  },
};
