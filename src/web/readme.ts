import { readFileSync } from 'node:fs';

/** The README of this very version, which lies beside the build; undefined where it was not installed. */
export function readReadme(): string | undefined {
  try {
    // The same two levels up from src/web and from dist/web.
    return readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  } catch {
    return undefined;
  }
}
