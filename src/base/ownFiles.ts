import { fileURLToPath } from 'node:url';

// The only module that knows where the program's own files are. In the checkout it stands in `src/base/`; in the package, wherever
// the bundler put it, in `dist/`, whose folders have the names of those of `src/`.

const FOLDER = new URL(import.meta.url.endsWith('.ts') ? '../' : './', import.meta.url);

/** Programs that are processes of their own, of the build alone. */
export type OwnProgram = 'launcher' | 'sampler';

/** The path of `launcher.js` or `sampler.js`, to be run by Node.js. */
export function ownProgram(name: OwnProgram): string {
  return fileURLToPath(new URL(`${name}.js`, FOLDER));
}

/** A file that is shipped as it is, by its path in `src/`: `kernel/bpf/tables.json`. Whether it is there shows when it is read. */
export function ownFile(path: string): URL {
  return new URL(path, FOLDER);
}

/** A file of the package beside `dist/`: `README.md`. */
export function packageFile(name: string): URL {
  return new URL(`../${name}`, FOLDER);
}
