import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Lock {
  readonly packages: Readonly<Record<string, Package>>;
}

interface Package {
  readonly dev?: boolean;
  readonly devDependencies?: unknown;
}

const project = fileURLToPath(new URL('..', import.meta.url));
const manifest: { name: string; version: string; devDependencies?: unknown } = read('package.json');
const lock: Lock = read('package-lock.json');
const file = resolve(`${manifest.name}-${manifest.version}.cdx.json`);
writeFileSync(file, softwareBillOfMaterials());
console.log(file);

/**
 * CycloneDX, as `npm sbom` writes it. `npm sbom --omit=dev` leaves out what is needed by a development dependency too (zod,
 * yaml), so it is given a project that has none.
 */
function softwareBillOfMaterials(): string {
  const work = mkdtempSync(join(tmpdir(), 'port-exporter-sbom-'));
  try {
    // It calls the project as its folder is called.
    const folder = join(work, manifest.name);
    mkdirSync(folder);
    const packages = Object.entries(lock.packages)
      .filter(([, { dev }]) => dev !== true)
      .map(([path, entry]) => [path, withoutDevelopment(entry)]);
    write(folder, 'package.json', withoutDevelopment(manifest));
    write(folder, 'package-lock.json', { ...lock, packages: Object.fromEntries(packages) });
    const flags = ['--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
    return execFileSync('npm', ['sbom', ...flags], { cwd: folder, encoding: 'utf8' });
  } finally {
    rmSync(work, { recursive: true });
  }
}

function withoutDevelopment<T extends { readonly devDependencies?: unknown }>({
  devDependencies,
  ...rest
}: T) {
  return rest;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(project, name), 'utf8'));
}

function write(folder: string, name: string, content: unknown): void {
  writeFileSync(join(folder, name), JSON.stringify(content));
}
