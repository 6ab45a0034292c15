import { type Completed, type CompletedFlag, quoted } from './completed.ts';

/** A script for zsh: a file `_port-exporter` of $fpath, or sourced after compinit. */
export function zshCompletion(program: Completed, commands: readonly Completed[]): string {
  return `#compdef port-exporter
# zsh completion for port-exporter; put it into a directory of $fpath as _port-exporter
_port_exporter() {
  case \${words[(r)(${commands.map(({ name }) => name).join('|')})]} in
${commands.map((command) => `    ${command.name}) _arguments \\\n${argumentsOf(command, 'command')} ;;`).join('\n')}
    *) _arguments \\
${program.flags.map(specOf).join(' \\\n')} \\
      ${quoted(`*:command:((${commands.map(({ name, describe }) => `${name}\\:${quoted(plain(describe))}`).join(' ')}))`)} ;;
  esac
}
if [[ $funcstack[1] == _port-exporter ]]; then _port_exporter "$@"; else compdef _port_exporter port-exporter; fi`;
}

function argumentsOf({ flags, words }: Completed, first: string): string {
  const rest = words.length === 0 ? '*: :' : `*:word:(${words.join(' ')})`;
  return [...flags.map(specOf), `      ${quoted(`1:${first}:`)}`, `      ${quoted(rest)}`].join(' \\\n');
}

/** `'*--log.level=[Minimum level to log]:value:(debug info)'` */
function specOf({ name, describe, values }: CompletedFlag): string {
  const described = `[${plain(describe)}]`;
  if (values === 'none') return `      ${quoted(`--${name}${described}`)}`;
  const files = { file: '_files', directory: '_files -/', any: '' };
  const action = typeof values === 'string' ? files[values] : `(${values.join(' ')})`;
  return `      ${quoted(`*--${name}=${described}:value:${action}`)}`;
}

/** Without what means something in a spec of _arguments. */
function plain(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, ' ').replaceAll("'", '');
}
