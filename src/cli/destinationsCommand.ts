import { destinationsReport, type OwnedDestination } from '../reports/destinationsReport.ts';
import { availableAtMost } from '../reports/uncertain.ts';
import type { Command } from './command.ts';
import { single } from './flag.ts';
import { ALL } from './netns.ts';
import type { Asked, Query } from './query.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { parseLimit } from './values.ts';
import { isWhole, type WholeNamespace } from './wholeNamespace.ts';

const FLAGS = {
  ...QUERY_FLAGS,
  limit: single(
    { group: 'Output:', describe: 'Maximum destinations to show, the fullest first', default: '20' },
    parseLimit,
  ),
};

/** Which destinations use up the ports. */
export const destinationsCommand: Command = {
  pattern: 'destinations',
  describe: 'Show the fullest destinations of TCP connect(), and how many more connects succeed',
  flags: FLAGS,
  invoke(commandLine, environment) {
    const { limit, ...values } = readFlags(FLAGS, commandLine, environment);
    const ask: Query['ask'] = (asked) => {
      const namespaces = asked.sample().filter(isWhole);
      const rows = namespaces.flatMap((namespace) => ownedDestinations(namespace, asked));
      const [own] = namespaces;
      const totals = namespaces.map(({ results }) => results.tcp.destinations.total);
      return destinationsReport(
        asked.isAll || own === undefined ? ALL : own.netns,
        totals.reduce((sum, total) => sum + total, 0),
        rows.toSorted((a, b) => b.destination.ratio - a.destination.ratio).slice(0, limit),
      );
    };
    return queryInvocation(values, ask, { destinations: limit });
  },
};

function ownedDestinations(
  { netns, results: { tcp } }: WholeNamespace,
  { session, isAll }: Asked,
): OwnedDestination[] {
  const shown = tcp.destinations.fullest;
  const holders = session.holdersOf(netns, shown);
  return shown.map((destination, index) => ({
    ...(isAll ? { netns } : {}),
    destination,
    availableAtMost: availableAtMost(destination, tcp),
    owners: holders[index]?.owners ?? [],
  }));
}
