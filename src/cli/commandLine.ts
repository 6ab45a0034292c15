import yargs, { type Argv, type Options as YargsOptions } from 'yargs';
import { ExporterError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import type { Command, Invocation } from './command.ts';
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

/** The default command first. */
export const COMMANDS: readonly Command[] = [
  runCommand,
  listenersCommand,
  destinationsCommand,
  explainCommand,
  snatCommand,
  refusalsCommand,
  scanCommand,
  probeCommand,
];

/**
 * What `argv` (without the program's name) and the environment ask for. Prints nothing and never exits. Throws an
 * ExporterError of one line for anything unknown, missing or invalidValue.
 */
export async function parseCommandLine(
  argv: readonly string[],
  environment: Environment,
): Promise<Invocation> {
  let invocation: Invocation | undefined;
  const parser = COMMANDS.reduce(
    (chain, command) =>
      chain.command({
        command: command.pattern,
        describe: command.describe,
        builder: (builder: Argv) =>
          Object.entries(command.positionals ?? {}).reduce(
            (built, [name, describe]) => built.positional(name, { describe, type: 'string' }),
            builder.options(yargsOptions(command)),
          ),
        handler: (commandLine) => {
          refuseStray(commandLine._.slice(command.pattern === '$0' ? 0 : 1));
          invocation = command.invoke(commandLine, environment);
        },
      }),
    createParser(),
  );
  let printed = '';
  await parser.parseAsync([...argv], {}, (_error: unknown, _argv: unknown, output: string) => {
    printed = output;
  });
  return invocation ?? { kind: 'print', text: printed };
}

function createParser(): Argv {
  return yargs()
    .scriptName('port-exporter')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .strict()
    .detectLocale(false)
    .exitProcess(false)
    .usage(`Usage: $0 [flags]\n\n${runCommand.describe}`)
    .fail((message: string | null, error: Error | undefined) => {
      // Without a message it was thrown by a command, and is an ExporterError or a defect.
      throw message === null && error !== undefined ? error : usageError(message ?? 'invalid usage');
    })
    .help('help', 'Show help and exit')
    .version(
      'version',
      'Show version and exit',
      `port-exporter, version ${VERSION} (node ${process.version})`,
    )
    .group(['help', 'version'], MODE)
    .nargs({ help: 0, version: 0 })
    .epilogue(
      'Each flag can also be set by an environment variable: PORT_EXPORTER_WEB_LISTEN_ADDRESS for ' +
        '--web.listen-address, with several values separated by commas. Flags take precedence over ' +
        'environment variables. Durations use the syntax of Prometheus: 500ms, 15s, 1h30m.',
    )
    .wrap(100);
}

function yargsOptions(command: Command): Record<string, YargsOptions> {
  return Object.fromEntries(Object.entries(command.flags).map(([name, flag]) => [name, yargsOption(flag)]));
}

/** yargs's strictness overlooks what stands behind `--`. */
function refuseStray(words: readonly (string | number)[]): void {
  if (words.length > 0) throw usageError(`unknown argument: ${words.join(' ')}`);
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
  return new ExporterError(`${line.charAt(0).toLowerCase()}${line.slice(1)}; see --help`);
}
