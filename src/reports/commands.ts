import stringWidth from 'string-width';
import { escapeInvisible } from '../base/logfmt.ts';
import { shellWord } from '../base/shell.ts';
import { styled } from './style.ts';
import type { Terminal } from './terminal.ts';

/** Commands for a shell, one after the other; what does not fit goes on in the next line, as a shell reads it. */
export function pasteable(
  title: string,
  commands: readonly (readonly string[])[],
  terminal: Terminal,
): string {
  return [
    styled(title, 'heading', terminal),
    ...commands.flatMap((words) => continued(words, terminal)),
  ].join('\n');
}

const CONTINUES = ' \\';
const INDENT = '  ';

/** Between words only: whatever is quoted stays whole, even where it is too wide. */
function continued(words: readonly string[], { columns = Number.POSITIVE_INFINITY }: Terminal): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words.map((text) => escapeInvisible(shellWord(text)))) {
    const longer = line.trim() === '' ? line + word : `${line} ${word}`;
    if (line.trim() === '' || stringWidth(longer) + CONTINUES.length <= columns) {
      line = longer;
      continue;
    }
    lines.push(line + CONTINUES);
    line = INDENT + word;
  }
  return [...lines, line];
}
