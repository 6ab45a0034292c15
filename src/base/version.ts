import { readFileSync } from 'node:fs';
import { ownFile, packageFile } from './ownFiles.ts';

/** The version in package.json, `0.1.0`. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const text = readFileSync(packageFile('package.json'), 'utf8');
  const manifest: { version: string } = JSON.parse(text);
  return manifest.version;
}

/** The commit that was built, as the build wrote it into dist/revision; `unknown` for a build outside of git. */
export const REVISION: string = readRevision();

/** What `--version` prints, as Prometheus's programs do. */
export const VERSION_TEXT = [
  `port-exporter, version ${VERSION} (revision: ${REVISION})`,
  `  node version:     ${process.version}`,
  `  platform:         ${process.platform}/${process.arch}`,
].join('\n');

function readRevision(): string {
  try {
    return readFileSync(ownFile('revision'), 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
