import type { Command } from '../command.ts';
import type { Flag } from '../flag.ts';

/** What a shell completes of a command. */
export interface Completed {
  /** '' for the exporter itself. */
  readonly name: string;
  readonly describe: string;
  readonly flags: readonly CompletedFlag[];
  /** What words beside the flags may be; empty where that is open. */
  readonly words: readonly string[];
}

/** A flag without its dashes. `values`: what it may be set to, `none` where it takes no value, `any` where that is open. */
export interface CompletedFlag {
  readonly name: string;
  readonly describe: string;
  readonly values: readonly string[] | 'file' | 'directory' | 'none' | 'any';
}

const BUILT_IN: readonly CompletedFlag[] = [
  { name: 'help', describe: 'Show help and exit', values: 'none' },
  { name: 'version', describe: 'Show version and exit', values: 'none' },
];

export function completedOf({ pattern, describe, flags, suggests = [] }: Command): Completed {
  const shown = Object.entries(flags).filter(([, { hidden }]) => hidden !== true);
  return {
    name: pattern.replace(/ .*$/, '').replace('$0', ''),
    describe,
    flags: [
      ...shown.map(([name, flag]) => ({ name, describe: flag.describe, values: valuesOf(flag) })),
      ...BUILT_IN,
    ],
    words: suggests,
  };
}

function valuesOf({ isSwitch, suggests }: Flag<unknown>): CompletedFlag['values'] {
  return isSwitch ? 'none' : (suggests ?? 'any');
}

/** In single quotes, as every shell here takes them. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
