import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newDirectory } from './procfs.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The program and its packages, of which `copied` is a copy that a test may break → their directory. */
function copyWith(copied: string | undefined, leftOut: readonly string[] = []): string {
  const directory = newDirectory();
  chmodSync(directory, 0o755);
  const copies = copied === undefined ? [] : [`node_modules/${copied}`];
  for (const name of ['package.json', 'dist', ...copies]) {
    cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  }
  mkdirSync(join(directory, 'node_modules'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name.startsWith('.') || name === copied || leftOut.includes(name)) continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
  }
  return directory;
}

/** Without the package with the FFI library's binary, which npm leaves out with --omit=optional → its main file. */
export function mainWithoutFfi(): string {
  return join(copyWith('koffi', ['@koromix']), 'dist/main.js');
}

/** Without bcrypt's native code, as on architectures that it has none for → its main file. */
export function mainWithoutBcrypt(): string {
  const directory = copyWith('bcrypt');
  rmSync(join(directory, 'node_modules/bcrypt/prebuilds'), { recursive: true });
  return join(directory, 'dist/main.js');
}

/** With no more than the first bytes of its compiled BPF programs → its main file. */
export function mainWithDamagedBpf(bytes: number): string {
  const directory = copyWith(undefined);
  truncateSync(join(directory, 'dist/kernel/bpf/tables.json'), bytes);
  return join(directory, 'dist/main.js');
}
