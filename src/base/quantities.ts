/** `85.3 %`. Never 100 while anything is left, nor 0 once anything is taken. */
export function percent(ratio: number): string {
  const shown = ratio > 0 && ratio < 1 ? Math.min(Math.max(ratio * 100, 0.1), 99.9) : ratio * 100;
  return `${shown.toFixed(1)} %`;
}

/** `1 port`, `2 ports`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
