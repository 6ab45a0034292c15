import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin, transform } from 'esbuild';

export const ROOT = join(import.meta.dirname, '../..');

/** Each is a process of its own, by the name of its file. */
export const PROGRAMS = {
  main: 'src/main.ts',
  launcher: 'src/launcher/launcher.ts',
  sampler: 'src/sampling/sampler.ts',
};

/** What the page loads beside its own script. */
export const BROWSER_LIBRARY = 'node_modules/idiomorph';

/** Native code, which cannot be bundled: the only dependencies of the package. */
const NATIVE = ['bcrypt', 'koffi'];

/** Licences stand in a file of their own. */
const COMMON = {
  absWorkingDir: ROOT,
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
} as const;

/**
 * Bundles programs for Node.js: what each loads with itself, what it loads later, and what several of them load, into files that
 * lie side by side; and puts beside them what they read.
 *
 * @param programs their sources by the names of their files, without `.js`
 * @returns the folders of the libraries that went into it
 */
export async function bundle(programs: Readonly<Record<string, string>>, folder: string): Promise<string[]> {
  const { metafile } = await build({
    ...COMMON,
    entryPoints: { ...programs },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: NATIVE,
    metafile: true,
    plugins: [prepared],
    // All in one folder, so that src/base/ownFiles.ts knows the way wherever the bundler puts it.
    chunkNames: '[name]-[hash]',
    // What libraries in CommonJS require is Node's own: everything else has been bundled.
    banner: { js: 'const require=process.getBuiltinModule;' },
  });
  copyFiles('src/kernel/bpf', join(folder, 'kernel/bpf'), /\.json$/);
  return librariesOf(metafile.inputs);
}

/** A script for a browser, which imports nothing. */
export async function minified(source: string, outfile: string): Promise<void> {
  await build({ ...COMMON, entryPoints: [source], outfile, target: 'es2022' });
}

/** @param isWanted by its name */
export function copyFiles(from: string, to: string, isWanted: RegExp, as?: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(join(ROOT, from)).filter((file) => isWanted.test(file)))
    copyFileSync(join(ROOT, from, file), join(to, as ?? file));
}

function librariesOf(inputs: Readonly<Record<string, unknown>>): string[] {
  const folders = Object.keys(inputs).map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))];
}

/**
 * Each file by itself gets short names for what is local to its functions: the functions keep theirs, which stand in stack traces
 * and profiles.
 */
const prepared: Plugin = {
  name: 'prepared',
  setup({ onLoad }) {
    onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path }) => {
      const text = withOwnLocales(path, await readFile(path, 'utf8'));
      const loader = path.endsWith('ts') ? 'ts' : 'js';
      const { code } = await transform(text, { loader, minifyIdentifiers: true, target: 'esnext' });
      return { contents: code, loader: 'js' };
    });
  },
};

/** yargs reads its words from a file, and looks for it where its own package would be: outside of ours. */
function withOwnLocales(path: string, text: string): string {
  if (!path.endsWith('/yargs/lib/platform-shims/esm.mjs')) return text;
  const changed = text.replace("'../../../locales'", "'../locales'");
  if (changed === text) throw new Error(`${path} looks for its locales elsewhere than expected`);
  return changed;
}
