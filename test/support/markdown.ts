/** Rows of the table between two marks, as the text of their cells without backticks; its head and headings left out. */
export function markedTable(text: string, name: string): string[][] {
  const [, marked = ''] =
    new RegExp(`<!-- ${name}:begin -->\n(.*)<!-- ${name}:end -->`, 's').exec(text) ?? [];
  return marked
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| **'))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
}
