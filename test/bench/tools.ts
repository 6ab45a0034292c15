import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BenchError } from './benchError.ts';

const run = promisify(execFile);

const TOOLS = [
  { name: 'gcc', debianPackages: 'gcc libc6-dev linux-libc-dev' },
  { name: 'ss', debianPackages: 'iproute2' },
  { name: 'cat', debianPackages: 'coreutils' },
  { name: 'prometheus-node-exporter', debianPackages: 'prometheus-node-exporter' },
  { name: 'unshare', debianPackages: 'util-linux' },
  { name: 'nsenter', debianPackages: 'util-linux' },
  { name: 'setpriv', debianPackages: 'util-linux' },
];

export function requireTools(): void {
  const missing = TOOLS.filter((tool) => !isInstalled(tool.name));
  if (missing.length === 0) return;
  const names = missing.map((tool) => tool.name).join(', ');
  const packages = [...new Set(missing.map((tool) => tool.debianPackages))].join(' ');
  throw new BenchError(`missing: ${names} (on Debian: apt-get install ${packages})`);
}

/** Compiles a C program that lies beside this file into `folder` and returns its path. */
export async function compile(name: string, folder: string): Promise<string> {
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  const program = path.join(folder, name);
  await run('gcc', ['-O2', '-Wall', '-Wextra', '-o', program, source]);
  return program;
}

function isInstalled(name: string): boolean {
  const { PATH = '' } = process.env;
  return PATH.split(':').some((folder) => isExecutable(path.join(folder, name)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
