import { accessSync, constants } from 'node:fs';

const NOBODY = 65_534;

// Unit tests need no privilege: where they have it, they give it up, so that none comes to need it unnoticed. Only golden
// files are written as who runs the tests, because they are part of the project.
if (process.geteuid?.() === 0 && process.env['UPDATE_GOLDEN'] !== '1') {
  process.setgroups?.([]);
  process.setegid?.(NOBODY);
  process.seteuid?.(NOBODY);
  // A project in a home directory may be closed to others: then they are tested as root, but not where CI is true.
  const keepsRoot = !isReadable(import.meta.dirname) && process.env['CI'] !== 'true';
  process.seteuid?.(0);
  process.setgid?.(keepsRoot ? 0 : NOBODY);
  if (!keepsRoot) process.setuid?.(NOBODY);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
