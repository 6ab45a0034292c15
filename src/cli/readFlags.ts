import { ExporterError } from '../base/errors.ts';
import type { Flag } from './flag.ts';

/** Flags by their names on the command line without the dashes: `web.listen-address`. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** What each of a table's flags was set to. */
export type FlagValues<F extends Flags> = {
  readonly [Name in keyof F]: F[Name] extends Flag<infer T> ? T : never;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The value of every flag: from the command line as yargs parsed it, else from its environment variable, else its
 * default. Variables that no flag is named after are ignored, since Kubernetes gives every container
 * `PORT_EXPORTER_SERVICE_HOST` and the like once a service of that name exists. Throws an ExporterError that begins
 * with the flag or the variable the bad value came from.
 */
export function readFlags<F extends Flags>(
  flags: F,
  commandLine: Readonly<Record<string, unknown>>,
  environment: Environment,
): FlagValues<F> {
  const values = Object.entries(flags).map(([name, flag]) => [
    name,
    readFlag(name, flag, commandLine[name], environment),
  ]);
  return Object.fromEntries(values);
}

/** `web.listen-address` → `PORT_EXPORTER_WEB_LISTEN_ADDRESS` */
export function environmentVariable(flagName: string): string {
  return `PORT_EXPORTER_${flagName.toUpperCase().replaceAll(/[.-]/g, '_')}`;
}

function readFlag(name: string, flag: Flag<unknown>, given: unknown, environment: Environment): unknown {
  if (given !== undefined) {
    return inNameOf(`--${name}`, () => flag.fromCommandLine([given].flat().map(String)));
  }
  const variable = environmentVariable(name);
  const text = environment[variable] ?? '';
  // Deployments often set a variable to nothing where they mean the default.
  if (text !== '') return inNameOf(variable, () => flag.fromText(text));
  return flag.fromText(flag.default);
}

function inNameOf<T>(origin: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof ExporterError) throw new ExporterError(`${origin}: ${thrown.message}`);
    throw thrown;
  }
}
