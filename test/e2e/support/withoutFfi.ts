import { chmodSync, cpSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newDirectory } from './procfs.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * The program and its packages without the one with the FFI library's binary → its main file. npm leaves that package
 * out with --omit=optional.
 */
export function mainWithoutFfi(): string {
  const directory = newDirectory();
  chmodSync(directory, 0o755);
  for (const name of ['package.json', 'dist', 'node_modules/koffi']) {
    cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  }
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name.startsWith('.') || name === 'koffi' || name === '@koromix') continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
  }
  return join(directory, 'dist/main.js');
}
