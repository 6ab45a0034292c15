import stringWidth from 'string-width';

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** `text` in lines of at most `width` columns: cut at a space where there is one, else between any two characters. */
export function wrapped(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const { segment } of characters.segment(text)) {
    line += segment;
    if (stringWidth(line) <= width) continue;
    const space = line.lastIndexOf(' ');
    const end = space > 0 ? space : line.length - segment.length;
    lines.push(line.slice(0, end).trimEnd());
    line = line.slice(end).trimStart();
  }
  return line === '' ? lines : [...lines, line];
}
