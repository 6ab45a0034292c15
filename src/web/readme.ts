import { readFileSync } from 'node:fs';
import { packageFile } from '../base/ownFiles.ts';

/** The README of this very version, which lies beside the build; undefined where it was not installed. */
export function readReadme(): string | undefined {
  try {
    return readFileSync(packageFile('README.md'), 'utf8');
  } catch {
    return undefined;
  }
}
