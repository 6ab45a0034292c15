/** What the command line holds when it asks for something else than the daemon. A test compares the words with the commands. */
const OTHER_WORDS: ReadonlySet<string> = new Set([
  'listeners',
  'destinations',
  'explain',
  'snat',
  'refusals',
  'scan',
  'probe',
  'completion',
  '--help',
  '-h',
  '--version',
]);
/** Flags that may have a value, and their environment variables. */
const OTHER_FLAGS = /^--(?:once|config\.check)(?:=|$)/;
const OTHER_VARIABLES = ['PORT_EXPORTER_ONCE', 'PORT_EXPORTER_CONFIG_CHECK'];

/**
 * Whether arguments (without the program's name) and environment ask for the daemon, as far as can be told without parsing them,
 * which takes as long as Node itself. False for some that do: those are found out later. Never true for a command that needs the
 * privileges of its caller.
 */
export function looksLikeDaemon(argv: readonly string[], environment: NodeJS.ProcessEnv): boolean {
  if (OTHER_VARIABLES.some((name) => environment[name] !== undefined)) return false;
  return !argv.some((word) => OTHER_WORDS.has(word) || OTHER_FLAGS.test(word));
}
