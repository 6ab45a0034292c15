import stringWidth from 'string-width';
import { expect } from 'vitest';
import type { Report } from '../../src/reports/report.ts';
import type { Terminal } from '../../src/reports/terminal.ts';

/** A file or a pipe. */
export const PIPE: Terminal = { columns: undefined, hasColor: false };

export function terminal(columns: number, hasColor = false): Terminal {
  return { columns, hasColor };
}

/** The lines of a report, none of which may speak to the terminal or be wider than it. */
export function lines(report: Report, on: Terminal = PIPE): string[] {
  const text = report.text(on);
  expectHarmless(text, on);
  return text.split('\n');
}

export function expectHarmless(
  text: string,
  { columns = Number.POSITIVE_INFINITY, hasColor }: Terminal,
): void {
  for (const line of text.split('\n')) {
    expect(stringWidth(line), JSON.stringify(line)).toBeLessThanOrEqual(columns);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours that a report may use
    const plain = line.replaceAll(/\x1b\[(?:1|22|31|33|39)m/g, '');
    if (!hasColor) expect(plain).toBe(line);
    expect(plain).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  }
}
