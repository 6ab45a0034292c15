import { readFileSync } from 'node:fs';

/** The version in package.json, `0.1.0`. */
export const VERSION: string = readVersion();

function readVersion(): string {
  // The same two levels up from src/base and from dist/base.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const manifest: { version: string } = JSON.parse(text);
  return manifest.version;
}

/** The commit that was built, as the build wrote it into dist/revision; `unknown` for a build outside of git. */
export const REVISION: string = readRevision();

function readRevision(): string {
  try {
    return readFileSync(new URL('../revision', import.meta.url), 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
