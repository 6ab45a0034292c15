import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/base/version.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { readSources } from '../layers.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

interface Sbom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string }[];
}

interface Package {
  readonly dev?: boolean;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Paths in the lock file of what Node finds from the project itself: what it depends on, and what is bundled into it. */
function neededPaths(packages: Readonly<Record<string, Package>>, bundled: readonly string[]): string[] {
  const found = new Set<string>(bundled.map((name) => `node_modules/${name}`));
  const from = (path: string) => {
    const { dependencies, optionalDependencies } = packages[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const at = resolved(packages, path, name);
      if (at === undefined) throw new Error(`${name} of ${path} is not in the lock file`);
      if (found.has(at)) continue;
      found.add(at);
      from(at);
    }
  };
  for (const path of ['', ...found]) from(path);
  return [...found];
}

/** In the nearest node_modules, as Node looks for it. */
function resolved(packages: Readonly<Record<string, Package>>, path: string, name: string) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (folder === '') return undefined;
  }
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Without what the types alone come from. */
function importedPackages(): Set<string> {
  const imported = Object.values(readSources()).flatMap((text) =>
    [...text.matchAll(/(?:from|import|resolve)\s*\(?'((?:@[\w-]+\/)?[\w][\w.-]*)(?:\/[^']*)?'/g)].map(
      ([, name = '']) => name,
    ),
  );
  return new Set(imported.filter((name) => !builtinModules.includes(name)));
}

describe('npm run sbom', () => {
  let sbom: Sbom;
  beforeAll(() => {
    const directory = newDirectory();
    const tsx = ['--import', import.meta.resolve('tsx'), `${REPOSITORY}/deploy/sbom.ts`];
    const printed = execFileSync(process.execPath, tsx, { cwd: directory, encoding: 'utf8' });
    expect(readdirSync(directory)).toEqual([`port-exporter-${VERSION}.cdx.json`]);
    sbom = JSON.parse(readFileSync(printed.trim(), 'utf8'));
  });

  it('is CycloneDX about this version', () => {
    expect(sbom.bomFormat).toBe('CycloneDX');
    expect(sbom.metadata.component).toMatchObject({
      name: 'port-exporter',
      version: VERSION,
      purl: `pkg:npm/port-exporter@${VERSION}`,
    });
  });

  it('lists exactly the packages that it is made of, and that are installed to run it, each with its hash', () => {
    const { packages } = JSON.parse(readFileSync(`${REPOSITORY}/package-lock.json`, 'utf8'));
    const bundled = [...importedPackages()].filter((name) => packages[`node_modules/${name}`]?.dev === true);
    expect(bundled).toEqual(expect.arrayContaining(['hono', 'prom-client', 'yargs']));
    const installed = neededPaths(packages, [...bundled, 'idiomorph']).map(
      (path) => `${nameOf(path)}@${packages[path].version}`,
    );
    expect(installed.length).toBeGreaterThan(1);
    const listed = sbom.components.map(({ name, version }) => `${name}@${version}`);
    expect(listed.toSorted()).toEqual([...new Set(installed)].toSorted());
    for (const { name, hashes } of sbom.components) {
      expect(
        hashes?.map(({ alg }) => alg),
        name,
      ).toEqual(['SHA-512']);
    }
  });

  it('has every package that the program imports', () => {
    const packages = importedPackages();
    expect([...packages]).toEqual(expect.arrayContaining(['hono', 'koffi', 'zod']));
    expect(sbom.components.map(({ name }) => name)).toEqual(expect.arrayContaining([...packages]));
  });

  it('has every library whose licence the build carries', async () => {
    const notices = readFileSync(`${REPOSITORY}/dist/THIRD-PARTY-NOTICES`, 'utf8');
    const carried = [...notices.matchAll(/^-{80}\n(\S+) (\S+)$/gm)].map(
      ([, name, version]) => `${name}@${version}`,
    );
    expect(carried.length).toBeGreaterThan(10);
    const listed = sbom.components.map(
      ({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`,
    );
    expect([...listed, ...sbom.components.map(({ name, version }) => `${name}@${version}`)]).toEqual(
      expect.arrayContaining(carried),
    );
  });
});
