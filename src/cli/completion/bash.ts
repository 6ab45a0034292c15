import type { Completed, CompletedFlag } from './completed.ts';

/**
 * A script for bash 4 and later, with or without the package bash-completion. In COMP_WORDS a `=` is a word of its own
 * (COMP_WORDBREAKS), so a flag and its value may be one to three of them.
 */
export function bashCompletion(program: Completed, commands: readonly Completed[]): string {
  const all = [program, ...commands];
  const flags = new Map(all.flatMap((one) => one.flags.map((flag) => [flag.name, flag] as const)));
  const valued = [...flags.values()].filter(({ values }) => values !== 'none');
  return `# bash completion for port-exporter; load it with: source <(port-exporter completion bash)
_port_exporter() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= flag= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${valued.map(({ name }) => `--${name}`).join('|')})
        [[ \${COMP_WORDS[i+1]} == = ]] && ((i++))
        ((i++)) ;;
      ${commands.map(({ name }) => name).join('|')})
        command=\${COMP_WORDS[i]}
        break ;;
    esac
  done
  if [[ $cur == = ]]; then
    flag=$prev cur=
  elif [[ $prev == = ]]; then
    flag=\${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $prev == --* ]]; then
    flag=$prev
  fi
  case $command$flag in
${valueCases(all)}
  esac
  case $flag in
    ${valued.map(({ name }) => `--${name}`).join('|')}) return ;;
  esac
  case $command in
${all.map((one) => wordsCase(one, one.name === '' ? commands.map(({ name }) => name) : one.words)).join('\n')}
  esac
}
complete -F _port_exporter port-exporter`;
}

/** Equal values of several commands stand in one line. */
function valueCases(all: readonly Completed[]): string {
  const actions = new Map<string, string[]>();
  for (const { name: command, flags } of all) {
    for (const flag of flags) {
      const action = actionOf(flag);
      if (action === undefined) continue;
      actions.set(action, [...(actions.get(action) ?? []), `${command}--${flag.name}`]);
    }
  }
  return [...actions]
    .map(([action, places]) => `    ${places.join('|')})\n      ${action}\n      return ;;`)
    .join('\n');
}

function actionOf({ values }: CompletedFlag): string | undefined {
  if (values === 'file')
    return 'compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
  if (values === 'directory')
    return 'compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur")';
  return typeof values === 'string' ? undefined : reply(values);
}

function wordsCase({ name, flags }: Completed, words: readonly string[]): string {
  const dashed = flags.map((flag) => `--${flag.name}`);
  return `    ${name === '' ? "''" : name})
      if [[ $cur == -* ]]; then ${reply(dashed)}
      else ${words.length === 0 ? ':' : reply(words)}; fi ;;`;
}

function reply(words: readonly string[]): string {
  return `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$cur"))`;
}
