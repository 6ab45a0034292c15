/** What the command line holds when it asks for something else than the daemon. A test compares the words with the commands. */
const OTHER_WORDS: ReadonlySet<string> = new Set([
  'listeners',
  'destinations',
  'explain',
  'snat',
  'refusals',
  'scan',
  'probe',
  '--help',
  '--version',
]);
/** A flag that may have a value, and its environment variable. */
const ONCE = /^--once(?:=|$)/;
const ONCE_VARIABLE = 'PORT_EXPORTER_ONCE';

/**
 * Whether arguments (without the program's name) and environment ask for the daemon, as far as can be told without parsing them,
 * which takes as long as Node itself. False for some that do: those are found out later. Never true for a command that needs the
 * privileges of its caller.
 */
export function looksLikeDaemon(argv: readonly string[], environment: NodeJS.ProcessEnv): boolean {
  if (environment[ONCE_VARIABLE] !== undefined) return false;
  return !argv.some((word) => OTHER_WORDS.has(word) || ONCE.test(word));
}
