import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CORPUS = fileURLToPath(new URL('../corpus', import.meta.url));

/** Inputs that once ran something new, or were a finding; in the order of their names. */
export function readCorpus(target: string): Uint8Array[] {
  const directory = `${CORPUS}/${target}`;
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .toSorted()
    .map((name) => readFileSync(`${directory}/${name}`));
}

/** → the file. */
export function keep(target: string, input: Uint8Array): string {
  const directory = `${CORPUS}/${target}`;
  mkdirSync(directory, { recursive: true });
  const file = `${directory}/${createHash('sha256').update(input).digest('hex').slice(0, 16)}`;
  writeFileSync(file, input);
  return file;
}
