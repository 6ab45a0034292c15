import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';

/** Files of src by path (`kernel/libc.ts`), with their text. */
export type Sources = Readonly<Record<string, string>>;

/** From the top down: a file imports its own folder and those below it. */
export const LAYERS: readonly string[] = [
  'main',
  'program',
  'serve',
  'daemon',
  'once',
  'cli',
  'reports',
  'web',
  'metrics',
  'supervisor',
  'launcher',
  'systemd',
  'status',
  'scan',
  'probes',
  'sampling',
  'snapshot',
  'aggregate',
  'conntrack',
  'sockets',
  'namespaces',
  'refusals',
  'owners',
  'kernel',
  'base',
];

export function readSources(): Sources {
  const src = new URL('../src/', import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return Object.fromEntries(files.map((file) => [file, readFileSync(new URL(file, src), 'utf8')]));
}

/**
 * Every rule that the sources break, one line each; none where the house stands.
 *
 * @param layers from the top down; a file or folder of src each. A file imports its own layer and those below it.
 * @param onlyImporters package → the one layer that may import it
 */
export function findViolations(
  sources: Sources,
  layers: readonly string[],
  onlyImporters: Readonly<Record<string, string>>,
): string[] {
  const layerOf = (file: string) =>
    layers.findIndex((layer) => file === `${layer}.ts` || file.startsWith(`${layer}/`));
  const violations: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, text] of Object.entries(sources)) {
    if (layerOf(file) < 0) violations.push(`${file} is in no layer`);
    const imported: string[] = [];
    graph.set(file, imported);
    for (const specifier of specifiersOf(text)) {
      if (!specifier.startsWith('.')) {
        const only = Object.entries(onlyImporters).find(([name]) => isPackage(specifier, name));
        if (only && layers[layerOf(file)] !== only[1]) {
          violations.push(`${file} imports ${specifier}, which only ${only[1]} may`);
        }
        continue;
      }
      const target = resolve(file, specifier, sources);
      if (target === undefined) violations.push(`${file} imports ${specifier}, which is not there`);
      else {
        imported.push(target);
        if (layerOf(target) < layerOf(file)) violations.push(`${file} imports ${target}, which is above it`);
      }
    }
  }
  return [...violations, ...circlesOf(graph).map((circle) => `circle: ${circle.join(' → ')}`)];
}

/** What a file imports: types too, at run time too, and what it starts as a worker. */
export function specifiersOf(text: string): string[] {
  const code = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const patterns = [
    /\bfrom\s+(['"])(.+?)\1/g,
    /\bimport\s+(['"])(.+?)\1/g,
    /\bimport\(\s*(['"])(.+?)\1\s*\)/g,
    /\brequire(?:\([^()]*\))?\(\s*(['"])(.+?)\1\s*\)/g,
    /\bcreateRequire\([^()]*\)\(\s*(['"])(.+?)\1\s*\)/g,
    /\bnew URL\(\s*(['"`])(\.{1,2}\/[^'"`]*?\.[jt]s)\1\s*,\s*import\.meta\.url\s*\)/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, , specifier = '']) => specifier));
}

/** Packages that are loaded together with `file`: neither for types alone, nor later by an import(). */
export function loadedWith(file: string, sources: Sources): Set<string> {
  return new Set([...allLoadedWith(file, sources)].filter((name) => !(name in sources)));
}

/** The same, and files of src. */
export function allLoadedWith(file: string, sources: Sources, seen = new Set<string>()): Set<string> {
  const statement = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\bfrom\s+)?(['"])(.+?)\1/gm;
  for (const [, , specifier = ''] of (sources[file] ?? '').matchAll(statement)) {
    const next = specifier.startsWith('.') ? resolve(file, specifier, sources) : specifier;
    if (next === undefined || seen.has(next)) continue;
    seen.add(next);
    allLoadedWith(next, sources, seen);
  }
  return seen;
}

/** A `.js` may be what a `.ts` is built to. */
function resolve(file: string, specifier: string, sources: Sources): string | undefined {
  const path = join(dirname(file), specifier);
  return [path, path.replace(/\.js$/, '.ts')].find((candidate) => candidate in sources);
}

function isPackage(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}

/** One circle for every import that closes one, on a walk through all files. */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const finished = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push([...path.slice(at), file]);
    if (at >= 0 || finished.has(file)) return;
    for (const target of graph.get(file) ?? []) walk(target, [...path, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return circles;
}

/** A Mermaid flowchart of which layer imports which, without the arrows that a longer way implies. */
export function drawImports(sources: Sources, layers: readonly string[]): string {
  const layerOf = (file: string) =>
    layers.find((layer) => file === `${layer}.ts` || file.startsWith(`${layer}/`)) ?? file;
  const imports = new Map(layers.map((layer) => [layer, new Set<string>()]));
  for (const [file, text] of Object.entries(sources)) {
    for (const specifier of specifiersOf(text)) {
      const target = specifier.startsWith('.') ? resolve(file, specifier, sources) : undefined;
      if (target === undefined || layerOf(target) === layerOf(file)) continue;
      imports.get(layerOf(file))?.add(layerOf(target));
    }
  }
  const reaches = (from: string, to: string): boolean =>
    [...(imports.get(from) ?? [])].some((next) => next === to || reaches(next, to));
  const arrows = layers.flatMap((layer) => {
    const below = [...(imports.get(layer) ?? [])].toSorted((a, b) => layers.indexOf(a) - layers.indexOf(b));
    const drawn = below.filter(
      (target) => !below.some((other) => other !== target && reaches(other, target)),
    );
    return drawn.map((target) => `  ${layer} --> ${target}`);
  });
  return ['```mermaid', 'flowchart TD', ...arrows, '```', ''].join('\n');
}
