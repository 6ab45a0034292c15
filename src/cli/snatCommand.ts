import type { Command } from './command.ts';
import { ALL } from './netns.ts';
import { OPTION_FLAGS } from './options.ts';
import { QUERY_FLAGS } from './queryOptions.ts';
import { readFlags } from './readFlags.ts';
import { parseEndpoint } from './values.ts';

const FLAGS = {
  json: QUERY_FLAGS.json,
  netns: QUERY_FLAGS.netns,
  'snat.ports': OPTION_FLAGS['snat.ports'],
  'path.procfs': OPTION_FLAGS['path.procfs'],
};

/** Which ports a NAT has left, and who holds the others. */
export const snatCommand: Command = {
  pattern: 'snat [destination]',
  describe:
    'Explain what holds the ports of a NAT towards the worst or the given destination, and which remedies apply',
  positionals: { destination: 'ADDRESS:PORT or [IPV6]:PORT; default: the worst' },
  flags: FLAGS,
  invoke(commandLine, environment) {
    const named = commandLine['destination'];
    const wanted = named === undefined ? undefined : parseEndpoint(String(named));
    const values = readFlags(FLAGS, commandLine, environment);
    const { json, netns, 'snat.ports': snatPorts, 'path.procfs': procfs } = values;
    return {
      kind: 'report',
      asJson: json,
      async report() {
        // Nothing else is asked with it that reads the kernel's tables here.
        const { answerSnat } = await import('./answerSnat.ts');
        return answerSnat({
          wanted,
          netns: netns === ALL ? undefined : netns,
          isAll: netns === ALL,
          snatPorts,
          procfs,
        });
      },
    };
  },
};
