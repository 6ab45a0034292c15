import { listenersReport } from '../reports/listenersReport.ts';
import type { Command } from './command.ts';
import { ALL } from './netns.ts';
import { QUERY_FLAGS, queryInvocation } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { parsePort } from './values.ts';

/** What `netstat -nltp` and `lsof -i :PORT` answer. */
export const listenersCommand: Command = {
  pattern: 'listeners [port]',
  describe: 'Show listeners with process, user, owner, queue, connections and drops',
  positionals: { port: 'Show only this port; exit with 1 if nothing listens on it' },
  flags: QUERY_FLAGS,
  invoke(commandLine, environment) {
    const { port } = commandLine;
    const wanted = port === undefined ? undefined : parsePort(String(port));
    return queryInvocation(
      readFlags(QUERY_FLAGS, commandLine, environment),
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
