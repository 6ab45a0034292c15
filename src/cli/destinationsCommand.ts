import {
  DESTINATION_SORT_KEYS,
  destinationsReport,
  type OwnedDestination,
  sortDestinations,
} from '../reports/destinationsReport.ts';
import { availableAtMost } from '../reports/uncertain.ts';
import type { Command } from './command.ts';
import {
  DESTINATION_KEYS,
  type DestinationFilter,
  type HeldRow,
  matchesItself,
  matchingHolders,
  needsHolders,
} from './destinationFilter.ts';
import { filterWords, parseFilter } from './filter.ts';
import { optional, single } from './flag.ts';
import { ALL } from './netns.ts';
import type { Asked, Query } from './query.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { oneOf, parseLimit } from './values.ts';
import { isWhole, type WholeNamespace } from './wholeNamespace.ts';

const FLAGS = {
  ...QUERY_FLAGS,
  limit: single(
    { group: 'Output:', describe: 'Maximum destinations to show, the first in their order', default: '20' },
    parseLimit,
  ),
  sort: optional(
    {
      group: 'Output:',
      describe:
        `Column to sort by: ${DESTINATION_SORT_KEYS.join(', ')}; numbers from the highest down; default: used, or the ` +
        'state of the filter',
      suggests: DESTINATION_SORT_KEYS,
    },
    oneOf(DESTINATION_SORT_KEYS),
  ),
};

/** Which destinations use up the ports. */
export const destinationsCommand: Command = {
  pattern: 'destinations [filter..]',
  describe: 'Show the fullest destinations of TCP connect(), and how many more connects succeed',
  positionals: {
    filter:
      'Show only these, as ss does: dport :443, dst 192.0.2.0/24, src ADDRESS, owner NAME, process NAME|PID, state ' +
      'established|time-wait|close-wait|other; exit with 1 if there is none',
  },
  suggests: Object.keys(DESTINATION_KEYS),
  flags: FLAGS,
  invoke(commandLine, environment) {
    const { limit, sort, ...values } = readFlags(FLAGS, commandLine, environment);
    const words = filterWords(commandLine);
    const filter = parseFilter(words, DESTINATION_KEYS);
    const isFiltered = words.length > 0;
    const ask: Query['ask'] = (asked) => {
      const namespaces = asked.sample().filter(isWhole);
      const [own] = namespaces;
      const found = namespaces.flatMap((namespace) => rowsOf(namespace, asked.isAll));
      const matching = isFiltered ? select(found, filter, asked, values['path.procfs']) : found;
      const totals = namespaces.map(({ results }) => results.tcp.destinations.total);
      const shown = sortDestinations(matching, sort, filter.state).slice(0, limit);
      return destinationsReport(
        asked.isAll || own === undefined ? ALL : own.netns,
        isFiltered ? matching.length : totals.reduce((sum, total) => sum + total, 0),
        withHolders(shown, asked.session).map(({ row }) => row),
        { isFiltered, state: filter.state },
      );
    };
    // What is not the fullest of all may be the first of what is asked for.
    return queryInvocation(values, ask, isFiltered || sort !== undefined ? {} : { destinations: limit });
  },
};

/** A row, and where it was found. */
type FoundRow = OwnedDestination & { readonly foundIn: string };

/** Nobody is asked yet who holds their ports. */
function rowsOf({ netns, results: { tcp } }: WholeNamespace, isAll: boolean): FoundRow[] {
  return tcp.destinations.fullest.map((destination) => ({
    ...(isAll ? { netns } : {}),
    foundIn: netns,
    destination,
    availableAtMost: availableAtMost(destination, tcp),
    owners: [],
  }));
}

function select(
  rows: readonly FoundRow[],
  filter: DestinationFilter,
  { session }: Asked,
  procfs: string,
): FoundRow[] {
  const candidates = rows.filter((row) => matchesItself(filter, row));
  if (!needsHolders(filter)) return candidates;
  return matchingHolders(filter, withHolders(candidates, session), procfs);
}

/** The same rows in their order. */
function withHolders(rows: readonly FoundRow[], session: Asked['session']): HeldRow<FoundRow>[] {
  const held = new Map<FoundRow, HeldRow<FoundRow>>();
  for (const netns of new Set(rows.map(({ foundIn }) => foundIn))) {
    const inside = rows.filter(({ foundIn }) => foundIn === netns);
    const holders = session.holdersOf(
      netns,
      inside.map(({ destination }) => destination),
    );
    for (const [index, row] of inside.entries()) {
      const { owners = [], inodes = new Map() } = holders[index] ?? {};
      held.set(row, { row: { ...row, owners }, inodes });
    }
  }
  return rows.flatMap((row) => held.get(row) ?? []);
}
