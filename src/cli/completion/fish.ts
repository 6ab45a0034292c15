import { type Completed, type CompletedFlag, quoted } from './completed.ts';

/** A script for fish 3 and later. */
export function fishCompletion(program: Completed, commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const without = `not __fish_seen_subcommand_from ${names}`;
  return [
    '# fish completion for port-exporter; put it into ~/.config/fish/completions/port-exporter.fish',
    'complete -c port-exporter -f',
    ...commands.map(({ name, describe }) => line(without, `-a ${name} -d ${quoted(describe)}`)),
    ...program.flags.map((flag) => line(without, flagOf(flag))),
    ...commands.flatMap(({ name, flags, words }) => {
      const within = `__fish_seen_subcommand_from ${name}`;
      return [
        ...(words.length === 0 ? [] : [line(within, `-a ${quoted(words.join(' '))}`)]),
        ...flags.map((flag) => line(within, flagOf(flag))),
      ];
    }),
  ].join('\n');
}

function line(condition: string, rest: string): string {
  return `complete -c port-exporter -n ${quoted(condition)} ${rest}`;
}

function flagOf({ name, describe, values }: CompletedFlag): string {
  const value = { none: '', any: ' -x', file: ' -r -F', directory: " -x -a '(__fish_complete_directories)'" };
  const action = typeof values === 'string' ? value[values] : ` -x -a ${quoted(values.join(' '))}`;
  return `-l ${name}${action} -d ${quoted(describe)}`;
}
