import { LISTENER_SORT_KEYS, listenersReport } from '../reports/listenersReport.ts';
import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { Command } from './command.ts';
import { type Filter, filterWords, parseFilter } from './filter.ts';
import { anyName, parsePlace, parsePortOrService } from './filterValues.ts';
import { optional } from './flag.ts';
import { ALL } from './netns.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { oneOf } from './values.ts';

const FLAGS = {
  ...QUERY_FLAGS,
  sort: optional(
    {
      group: 'Output:',
      describe: `Column to sort by: ${LISTENER_SORT_KEYS.join(', ')}; counts from the highest down; default: port`,
      suggests: LISTENER_SORT_KEYS,
    },
    oneOf(LISTENER_SORT_KEYS),
  ),
};

/** As ss calls them: a TCP socket listens, and one of UDP that takes datagrams is not connected. */
const STATES = { listening: 'tcp', unconnected: 'udp' } as const;

/** By what listeners can be filtered. */
export const LISTENER_KEYS = {
  state: oneOf(Object.keys(STATES) as (keyof typeof STATES)[]),
  sport: parsePortOrService,
  src: parsePlace,
  owner: anyName,
  process: anyName,
  user: anyName,
};

/** What `netstat -nltp` and `lsof -i :PORT` answer. */
export const listenersCommand: Command = {
  pattern: 'listeners [filter..]',
  describe: 'Show listeners with process, user, owner, queue, connections and drops',
  positionals: {
    filter:
      'Show only a PORT, or as ss does: sport :PORT, src ADDRESS, owner NAME, process NAME|PID, user NAME, state ' +
      'listening|unconnected (TCP|UDP); exit with 1 if there is none',
  },
  suggests: Object.keys(LISTENER_KEYS),
  flags: FLAGS,
  invoke(commandLine, environment) {
    const { sort, ...values } = readFlags(FLAGS, commandLine, environment);
    const words = filterWords(commandLine);
    const filter = parseFilter(words, LISTENER_KEYS, 'sport');
    const wanted = {
      sort,
      ...(words.length === 0 ? {} : { matches: (listener: DescribedListener) => isWanted(filter, listener) }),
      ...(Object.keys(filter).join() === 'sport' ? { port: filter.sport } : {}),
    };
    return queryInvocation(
      values,
      (asked) => {
        const [own, ...others] = asked.sample();
        if (!asked.isAll) return listenersReport(own, wanted);
        const listeners = [own, ...others].flatMap(({ netns, listeners }) =>
          listeners.map((listener) => ({ ...listener, netns })),
        );
        return listenersReport({ netns: ALL, listeners }, wanted);
      },
      // Whoever asks waits for an answer rather than for a part of it.
      { processBudgetMs: 10_000 },
    );
  },
};

function isWanted(
  { state, sport, src, owner, process, user }: Filter<typeof LISTENER_KEYS>,
  listener: DescribedListener,
): boolean {
  return (
    (state === undefined || listener.protocol === STATES[state]) &&
    (sport === undefined || listener.port === sport) &&
    (src === undefined || (src.matches(listener.address) && (src.port ?? listener.port) === listener.port)) &&
    (owner === undefined || listener.owner === owner) &&
    (process === undefined || listener.process === process || String(listener.pid) === process) &&
    (user === undefined || listener.user === user)
  );
}
