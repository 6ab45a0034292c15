/** A text of a few lines that stands for ten million values, behind `start`. */
export function multiplied(start: string): string {
  const ten = (item: string) => `[${Array(10).fill(item).join(', ')}]`;
  const level = (depth: number): string => (depth === 0 ? ten('x') : ten(`*a${depth - 1}`));
  return `${start}[${Array.from({ length: 7 }, (_, depth) => `&a${depth} ${level(depth)}`).join(', ')}]\n`;
}
