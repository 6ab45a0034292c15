/** A word for sh(1), quoted where it must be: of `name=value` the value alone. */
export function shellWord(text: string): string {
  if (PLAIN.test(text)) return text;
  const [, name = '', value = ''] = /^([\w@%+:,./-]+=)?(.*)$/s.exec(text) ?? [];
  return `${name}'${value.replaceAll("'", "'\\''")}'`;
}

const PLAIN = /^[\w@%+=:,./-]+$/;

/** A whole command of these words. */
export function shellCommand(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}
