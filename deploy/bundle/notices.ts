import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './bundle.ts';

const RULE = '-'.repeat(80);

/** The licences of bundled libraries, by their folders, as each of them came with its own. Throws for one that came without. */
export function noticesOf(libraries: readonly string[]): string {
  const notices = libraries.map((library) => {
    const read = (file: string) => readFileSync(join(ROOT, library, file), 'utf8');
    const { name, version } = JSON.parse(read('package.json')) as { name: string; version: string };
    const file = readdirSync(join(ROOT, library)).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} came without its licence`);
    return `${RULE}\n${name} ${version}\n\n${read(file).trim()}\n`;
  });
  return ['These libraries are part of the program.\n', ...notices].join('\n');
}
