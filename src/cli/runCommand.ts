import type { Command } from './command.ts';
import { checkInvocation } from './configCheck.ts';
import { OPTION_FLAGS, toOptions } from './options.ts';
import { readFlags } from './readFlags.ts';

/** What the exporter does without a command word: serve metrics, or print them once. */
export const runCommand: Command = {
  pattern: '$0',
  describe: 'Export how many further connect() and bind() calls succeed before ephemeral ports run out',
  flags: OPTION_FLAGS,
  invoke(commandLine, environment) {
    const values = readFlags(OPTION_FLAGS, commandLine, environment);
    if (values['config.check']) return checkInvocation(toOptions(values));
    return { kind: values.once ? 'once' : 'run', options: toOptions(values) };
  },
};
