import type { Command } from './command.ts';
import { bashCompletion } from './completion/bash.ts';
import { completedOf } from './completion/completed.ts';
import { fishCompletion } from './completion/fish.ts';
import { zshCompletion } from './completion/zsh.ts';
import { oneOf } from './values.ts';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
const NAMES = Object.keys(SHELLS) as (keyof typeof SHELLS)[];

/**
 * A script that completes what `commands` tell, the exporter itself first. It is static: to ask the program at every tab would
 * take half a second each.
 */
export function completionCommand(commands: readonly Command[]): Command {
  const self: Command = {
    pattern: 'completion <shell>',
    describe: `Print a completion script for ${NAMES.slice(0, -1).join(', ')} or ${NAMES.at(-1)}`,
    positionals: { shell: `${NAMES.join(', ')}` },
    suggests: NAMES,
    flags: {},
    invoke({ shell }) {
      const [program, ...others] = [...commands, self].map(completedOf);
      if (program === undefined) throw new Error('no commands');
      return { kind: 'print', text: SHELLS[oneOf(NAMES)(String(shell))](program, others) };
    },
  };
  return self;
}
