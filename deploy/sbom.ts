import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BROWSER_LIBRARY, bundle, PROGRAMS } from './bundle/bundle.ts';

type Versions = Readonly<Record<string, string>>;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
}

const project = fileURLToPath(new URL('..', import.meta.url));
const manifest: Manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
const file = resolve(`${manifest.name}-${manifest.version}.cdx.json`);
writeFileSync(file, await softwareBillOfMaterials());
console.log(file);

/**
 * CycloneDX, as `npm sbom` writes it, of what is installed with the program and of what is bundled into it. To npm the latter are
 * development dependencies like any other: it is given a project that depends on them.
 */
async function softwareBillOfMaterials(): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), 'port-exporter-sbom-'));
  try {
    const libraries = [...(await bundle(PROGRAMS, join(work, 'dist'))), BROWSER_LIBRARY];
    const { devDependencies, ...rest } = manifest;
    const bundled = Object.entries(devDependencies).filter(([name]) =>
      libraries.includes(`node_modules/${name}`),
    );
    // It calls the project as its folder is called.
    const folder = join(work, manifest.name);
    mkdirSync(folder);
    const dependencies = { ...manifest.dependencies, ...Object.fromEntries(bundled) };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...rest, dependencies }));
    cpSync(join(project, 'package-lock.json'), join(folder, 'package-lock.json'));
    const npm = (...args: readonly string[]) =>
      execFileSync('npm', [...args, '--package-lock-only'], { cwd: folder, encoding: 'utf8' });
    // The versions stay those of the lock file: what is no longer needed goes.
    npm('install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline');
    return npm('sbom', '--sbom-format=cyclonedx', '--sbom-type=application');
  } finally {
    rmSync(work, { recursive: true });
  }
}
