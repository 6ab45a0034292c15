import yargs, { type Argv, type PositionalOptions, type Options as YargsOptions } from 'yargs';
import { ExporterError } from '../base/errors.ts';
import { VERSION_TEXT } from '../base/version.ts';
import type { Command, Invocation } from './command.ts';
import { completionCommand } from './completionCommand.ts';
import { destinationsCommand } from './destinationsCommand.ts';
import { explainCommand } from './explainCommand.ts';
import type { Flag } from './flag.ts';
import { MODE } from './flags/mode.ts';
import { listenersCommand } from './listenersCommand.ts';
import { probeCommand } from './probeCommand.ts';
import type { Environment } from './readFlags.ts';
import { refusalsCommand } from './refusalsCommand.ts';
import { runCommand } from './runCommand.ts';
import { scanCommand } from './scanCommand.ts';
import { snatCommand } from './snatCommand.ts';
import { didYouMean, singleDashed } from './unknown.ts';

/** Columns of the help text, where the terminal has as many. */
const WIDEST = 100;

/** Flags of yargs, which every command has. */
const BUILT_IN = ['help', 'version', 'h'];

const ANSWERING: readonly Command[] = [
  runCommand,
  listenersCommand,
  destinationsCommand,
  explainCommand,
  snatCommand,
  refusalsCommand,
  scanCommand,
  probeCommand,
];

/** The default command first. */
export const COMMANDS: readonly Command[] = [...ANSWERING, completionCommand(ANSWERING)];

/**
 * What `argv` (without the program's name) and the environment ask for. Prints nothing and never exits. Throws an
 * ExporterError of one line for anything unknown, missing or invalidValue.
 */
export async function parseCommandLine(
  argv: readonly string[],
  environment: Environment,
): Promise<Invocation> {
  let invocation: Invocation | undefined;
  const singleDash = singleDashed(argv);
  if (singleDash !== undefined) throw unknownFlag(singleDash, commandOf(argv));
  const parser = COMMANDS.reduce(
    (chain, command) =>
      chain.command({
        command: command.pattern,
        describe: command.describe,
        builder: (builder: Argv) =>
          Object.entries(command.positionals ?? {}).reduce(
            (built, [name, describe]) =>
              built.positional(name, positional(describe, command.pattern.endsWith('..]'))),
            builder.options(yargsOptions(command)),
          ),
        handler: (commandLine) => {
          refuseUnknown(commandLine, command);
          invocation = command.invoke(commandLine, environment);
        },
      }),
    createParser(argv),
  );
  let printed = '';
  await parser.parseAsync([...argv], {}, (_error: unknown, _argv: unknown, output: string) => {
    printed = output;
  });
  return invocation ?? { kind: 'print', text: printed };
}

function createParser(argv: readonly string[]): Argv {
  return yargs()
    .scriptName('port-exporter')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .detectLocale(false)
    .exitProcess(false)
    .usage(`Usage: $0 [flags]\n\n${runCommand.describe}`)
    .fail((message: string | null, error: Error | undefined) => {
      // Without a message it was thrown by a command, and is an ExporterError or a defect.
      throw message === null && error !== undefined ? error : usageError(inOurWords(message ?? '', argv));
    })
    .help('help', 'Show help and exit')
    .alias('help', 'h')
    .version('version', 'Show version and exit', VERSION_TEXT)
    .group(['help', 'version'], MODE)
    .nargs({ help: 0, version: 0 })
    .epilogue(
      'Each flag can also be set by an environment variable: PORT_EXPORTER_WEB_LISTEN_ADDRESS for ' +
        '--web.listen-address, with several values separated by commas. Flags take precedence over ' +
        'environment variables. Durations use the syntax of Prometheus: 500ms, 15s, 1h30m.',
    )
    .wrap(Math.min(WIDEST, process.stdout.columns || WIDEST));
}

function yargsOptions(command: Command): Record<string, YargsOptions> {
  return Object.fromEntries(Object.entries(command.flags).map(([name, flag]) => [name, yargsOption(flag)]));
}

/** What yargs would call unknown without its dashes, and what stands behind `--`, which it would overlook. */
function refuseUnknown(commandLine: Readonly<Record<string, unknown>>, command: Command): void {
  const known = new Set(['_', '$0', ...BUILT_IN, ...Object.keys(command.positionals ?? {})]);
  const flag = Object.keys(commandLine).find(
    (name) => !known.has(name) && !Object.hasOwn(command.flags, name),
  );
  if (flag !== undefined) throw unknownFlag(`--${flag}`, command);
  const words = [commandLine['_'] ?? []].flat().map(String);
  const [stray] = words.slice(command === runCommand ? 0 : 1);
  if (stray === undefined) return;
  const names = COMMANDS.map(nameOf);
  throw usageError(
    command === runCommand && !names.includes(stray)
      ? `unknown command ${stray}${didYouMean(stray, names)}`
      : `unexpected argument ${stray}`,
  );
}

/** `word` as it was typed, without its value. */
function unknownFlag(word: string, { flags }: Command): ExporterError {
  const shown = Object.entries(flags).filter(([, { hidden }]) => hidden !== true);
  const names = [...shown.map(([name]) => name), ...BUILT_IN.slice(0, 2)].map((name) => `--${name}`);
  return usageError(`unknown flag ${word}${didYouMean(word, names)}`);
}

/** The name on the command line; that of the exporter itself is none. */
function nameOf({ pattern }: Command): string {
  return pattern.replace(/ .*$/, '').replace('$0', '');
}

function commandOf(argv: readonly string[]): Command {
  return COMMANDS.find((command) => argv.includes(nameOf(command))) ?? runCommand;
}

/** The messages of yargs that a user may meet. */
function inOurWords(message: string, argv: readonly string[]): string {
  const [, flag] = /^Argument unexpected for: (\S+)/.exec(message) ?? [];
  if (flag !== undefined) return `--${flag}: takes no value`;
  if (message.startsWith('Not enough non-option arguments'))
    return `missing argument: expected ${commandOf(argv).pattern}`;
  return message;
}

/** Of several words yargs would show `[default: []]`. */
function positional(describe: string, isList: boolean): PositionalOptions {
  return { describe, type: 'string', ...(isList ? { defaultDescription: 'all' } : {}) };
}

/** yargs must not know the default itself, or it could not be told from a value that was given. */
function yargsOption(flag: Flag<unknown>): YargsOptions {
  const { group, describe, hidden = false } = flag;
  return flag.isSwitch
    ? { group, describe, hidden, type: 'boolean', nargs: 0 }
    : { group, describe, hidden, type: 'string', defaultDescription: flag.default };
}

function usageError(message: string): ExporterError {
  const line = message.replaceAll(/\s+/g, ' ').trim();
  const hint = line.endsWith('?') ? '' : '; see --help';
  return new ExporterError(`${line.charAt(0).toLowerCase()}${line.slice(1)}${hint}`);
}
