import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  allLoadedWith,
  drawImports,
  findViolations,
  LAYERS,
  loadedWith,
  readSources,
  type Sources,
  specifiersOf,
} from './layers.ts';

const ONLY_IMPORTERS = { 'prom-client': 'metrics', koffi: 'kernel', 'string-width': 'reports' };

describe('the house', () => {
  it('imports only downwards, in no circle, and its closest packages in one place', () => {
    expect(findViolations(readSources(), LAYERS, ONLY_IMPORTERS)).toEqual([]);
  });

  it('is looked at as a whole', () => {
    const sources = readSources();
    expect(Object.keys(sources).length).toBeGreaterThan(40);
    for (const [name, layer] of Object.entries(ONLY_IMPORTERS)) {
      const importers = Object.entries(sources).filter(([, text]) => specifiersOf(text).includes(name));
      expect(importers.every(([file]) => file.startsWith(`${layer}/`)) && importers.length > 0).toBe(true);
    }
  });
});

describe('.github/ARCHITECTURE.md', () => {
  const path = new URL('../.github/ARCHITECTURE.md', import.meta.url);
  const [begin, end] = ['<!-- imports:begin -->\n', '<!-- imports:end -->'];

  it('draws the imports as they are', () => {
    const page = readFileSync(path, 'utf8');
    const [before = '', rest = ''] = page.split(begin);
    const [drawn, after] = rest.split(end);
    const picture = drawImports(readSources(), LAYERS);
    if (process.env['UPDATE_GOLDEN'] === '1')
      writeFileSync(path, [before, begin, picture, end, after].join(''));
    else expect(drawn).toBe(picture);
  });

  it('says of every layer what it is for, from the top down', () => {
    const named = [...readFileSync(path, 'utf8').matchAll(/^\| `(\w+)(?:\.ts|\/)` \|/gm)].map(
      ([, name]) => name,
    );
    expect(named).toEqual(LAYERS);
  });
});

describe('the seam between the processes', () => {
  const importsOf = (room: string) =>
    Object.entries(readSources())
      .filter(([file]) => file.startsWith(`${room}/`))
      .flatMap(([, text]) => specifiersOf(text).map((specifier) => specifier.replace(/^(\.\.\/)+/, '')));

  it('is plain data: what shows a sample knows nothing of how it was taken', () => {
    for (const room of ['metrics', 'status', 'systemd', 'web']) {
      const inner = importsOf(room).filter((specifier) => /^(sampling|supervisor)\//.test(specifier));
      expect(inner, room).toEqual([]);
    }
  });

  it('is messages: what keeps the sampler alive imports its options, and starts it', () => {
    const inner = importsOf('supervisor').filter((specifier) => specifier.startsWith('sampling/'));
    expect([...new Set(inner)].toSorted()).toEqual([
      'sampling/handover.ts',
      'sampling/samplingOptions.ts',
      'sampling/spawnSampler.ts',
    ]);
    expect(importsOf('sampling').filter((specifier) => specifier.startsWith('supervisor/'))).toEqual([]);
  });

  it('is one of privileges: what serves cannot sample, and what samples can neither serve nor parse a configuration', () => {
    const loadedBy = (...files: readonly string[]) =>
      files.flatMap((file) => [...allLoadedWith(file, readSources())]);
    const serving = loadedBy('main.ts', 'program.ts', 'serve.ts');
    expect(
      serving.filter((name) =>
        /^(sockets\/(netlink|procfs)|sampling\/(session|sampledHost|collectors))/.test(name),
      ),
    ).toEqual([]);
    const sampling = loadedBy('sampling/sampler.ts', 'launcher/launcher.ts');
    const others = /^(web|cli|probes|metrics|reports)\/|^(hono|yaml|zod|yargs|node:(https?|tls|dgram|dns))\b/;
    expect(sampling.filter((name) => others.test(name))).toEqual([]);
    expect(sampling).toContain('sampling/session.ts');
  });
});

describe('files', () => {
  it('are small: at most 220 lines', () => {
    const long = Object.entries(readSources()).filter(([, text]) => text.split('\n').length > 221);
    expect(long.map(([file]) => file)).toEqual([]);
  });
});

describe('a test', () => {
  /** Of the whole program, of what is beside it, and of the tests themselves. */
  const ELSEWHERE = /^(live|e2e|hostile|deploy|kernels|support)\/|^[^/]+$/;

  it('stands where its source stands, under the same name', () => {
    const tests = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' });
    const strays = tests
      .filter((file) => file.endsWith('.test.ts') && !ELSEWHERE.test(file))
      .filter((file) => !(file.replace(/(\.\w+)?\.test\.ts$/, '.ts') in readSources()));
    expect(strays).toEqual([]);
  });
});

describe('what reads YAML', () => {
  it('is not loaded before there is a file to read: it takes megabytes', () => {
    for (const start of ['main.ts', 'program.ts', 'serve.ts', 'sampling/sampler.ts']) {
      const loaded = loadedWith(start, readSources());
      expect(loaded).toContain('node:fs');
      expect([...loaded].filter((name) => ['yaml', 'zod/mini'].includes(name))).toEqual([]);
    }
    expect(loadedWith('probes/probeFile.ts', readSources())).toContain('zod/mini');
    // What serves is loaded by who serves alone: the other commands start without it.
    expect(loadedWith('serve.ts', readSources())).toContain('hono');
    expect(loadedWith('program.ts', readSources())).not.toContain('hono');
    // Native code in a privileged process is for who has users alone.
    expect(loadedWith('serve.ts', readSources())).not.toContain('bcrypt');
  });
});

describe('who asks once', () => {
  it('loads neither what serves nor what renders metrics, and the log only to ask the kernel', () => {
    for (const start of ['main.ts', 'program.ts']) {
      const loaded = loadedWith(start, readSources());
      const others = ['prom-client', 'hono', 'hono/html', '@hono/node-server', 'systemd-notify', 'pino'];
      expect([...loaded].filter((name) => others.includes(name))).toEqual([]);
    }
    for (const start of ['cli/answer.ts', 'cli/watchRefusals.ts'])
      expect(loadedWith(start, readSources())).not.toContain('prom-client');
    expect(loadedWith('serve.ts', readSources())).toContain('prom-client');
    expect(loadedWith('cli/answer.ts', readSources())).toContain('pino');
  });
});

describe("where the program's own files are", () => {
  it('is known to one module, and where its native code is to the one that loads it', () => {
    const knowing = Object.entries(readSources()).filter(([, text]) => text.includes('import.meta'));
    expect(knowing.map(([file]) => file).toSorted()).toEqual(['base/ownFiles.ts', 'kernel/koffi.ts']);
  });
});

describe('what records', () => {
  it('is not loaded before there is something to record', () => {
    for (const start of ['main.ts', 'program.ts', 'once.ts', 'sampling/sampler.ts']) {
      expect(loadedWith(start, readSources())).not.toContain('node:zlib');
    }
    expect(loadedWith('kernel/recorder.ts', readSources())).toContain('node:zlib');
  });
});

describe('a house that', () => {
  const check = (sources: Sources) => findViolations(sources, ['main', 'top', 'low'], { koffi: 'low' });

  it('is in order passes', () => {
    const sources = {
      'main.ts': "import './top/a.ts';",
      'top/a.ts': "import { b } from './b.ts';\nimport fs from 'node:fs';",
      'top/b.ts': "import type { c } from '../low/c.ts';",
      'low/c.ts': "import koffi from 'koffi';",
    };
    expect(check(sources)).toEqual([]);
  });

  it.each([
    ['an import', "import { a } from '../top/a.ts';"],
    ['an import of a type', 'import type { A } from "../top/a.ts";'],
    ['an import over several lines', "import {\n  type A,\n  a,\n} from '../top/a.ts';"],
    ['an export', "export * from '../top/a.ts';"],
    ['an import for its effect', "import '../top/a.ts';"],
    ['an import at run time', "const { a } = await import('../top/a.ts');"],
    ["a type's import", "type A = import('../top/a.ts').A;"],
    ['a worker', "new Worker(new URL('../top/a.ts', import.meta.url));"],
    ['a worker as it is built', 'new Worker(new URL("../top/a.js", import.meta.url));'],
  ])('reaches upwards with %s is caught', (_, text) => {
    expect(check({ 'top/a.ts': '', 'low/c.ts': text })).toEqual([
      'low/c.ts imports top/a.ts, which is above it',
    ]);
  });

  it('goes in a circle is caught, even of types and in one folder', () => {
    const sources = {
      'low/a.ts': "import { b } from './b.ts';",
      'low/b.ts': "import type { C } from './c.ts';",
      'low/c.ts': "import type { A } from './a.ts';",
    };
    expect(check(sources)).toEqual(['circle: low/a.ts → low/b.ts → low/c.ts → low/a.ts']);
    expect(check({ 'low/a.ts': "import type { A } from './a.ts';" })).toEqual([
      'circle: low/a.ts → low/a.ts',
    ]);
  });

  it('has two ways to one file is in no circle', () => {
    const sources = {
      'top/a.ts': "import './b.ts';\nimport './c.ts';",
      'top/b.ts': "import './d.ts';",
      'top/c.ts': "import './d.ts';",
      'top/d.ts': '',
    };
    expect(check(sources)).toEqual([]);
  });

  it('has a file outside its layers is caught', () => {
    expect(check({ 'stray.ts': '', 'other/a.ts': '', 'lower/a.ts': '' })).toEqual([
      'stray.ts is in no layer',
      'other/a.ts is in no layer',
      'lower/a.ts is in no layer',
    ]);
  });

  it('imports what is not there is caught', () => {
    expect(check({ 'low/a.ts': "import './gone.ts';" })).toEqual([
      'low/a.ts imports ./gone.ts, which is not there',
    ]);
  });

  it.each([
    "import koffi from 'koffi';",
    "import type { X } from 'koffi/lib';",
    "createRequire(import.meta.url)('koffi');",
    "require('koffi');",
    "type Koffi = typeof import('koffi')['default'];",
  ])('has a package imported in the wrong place is caught: %s', (text) => {
    expect(check({ 'top/a.ts': text })).toEqual([
      expect.stringMatching(/^top\/a\.ts imports koffi\S*, which only low may$/),
    ]);
  });

  it('loads what it imports by statements, at any depth, and not for types', () => {
    const sources = {
      'a.ts': "import {\n  type B,\n  b,\n} from './b.ts';\nimport type { D } from 'd';\nawait import('e');",
      'b.ts': "import 'c';\nexport { f } from 'f';\nimport { a } from './a.ts';",
    };
    expect([...loadedWith('a.ts', sources)].toSorted()).toEqual(['c', 'f']);
  });

  it('says so in a comment only is in order', () => {
    const comment = "// import '../top/a.ts';\n/** as `from '../top/a.ts'` does\n * import('koffi') */";
    expect(check({ 'top/a.ts': '', 'low/c.ts': comment })).toEqual([]);
  });
});
