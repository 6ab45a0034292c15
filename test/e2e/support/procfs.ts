import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const FIXTURE = fileURLToPath(new URL('../../fixtures/proc', import.meta.url));

const directories: string[] = [];

/** An empty directory that ends with the test file. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'port-exporter-e2e-'));
  directories.push(directory);
  return directory;
}

/** What every test file does at its end. */
export function removeDirectories(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
}

/** A copy of the fixture to be broken. */
export function newProcfs(): string {
  const directory = newDirectory();
  cpSync(FIXTURE, directory, { recursive: true, verbatimSymlinks: true });
  return directory;
}

export function fixtureText(name: string): string {
  return readFileSync(join(FIXTURE, name), 'latin1');
}
