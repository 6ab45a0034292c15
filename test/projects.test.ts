import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import { specifiersOf } from './layers.ts';
import { ALONE, LAST, MACHINE, MOCKING, PEERS } from './projects.ts';

const HERE = import.meta.dirname;
const NAMED = [...MACHINE, ...MOCKING, ...PEERS, ...ALONE, ...LAST].map((place) =>
  place.replace('test/', ''),
);
const PLACES = NAMED.map((place) => place.replace(/\*\*.*/, ''));

describe('the lists of tests that run in another way', () => {
  it('name nothing that is not there', () => {
    expect(PLACES.filter((place) => !existsSync(join(HERE, place)))).toEqual([]);
  });

  it('name nothing twice', () => {
    expect(NAMED).toEqual([...new Set(NAMED)]);
  });
});

describe('unit tests', () => {
  const files = readdirSync(HERE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => !PLACES.some((place) => file.startsWith(place)));
  const helpers = new Set(files.flatMap((file) => [...helpersOf(file)]));

  it('are most of all', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(helpers.size).toBeGreaterThan(10);
  });

  it('have no privilege where CI is true', () => {
    if (process.env['CI'] === 'true') expect(process.getuid?.()).not.toBe(0);
  });

  it('use no helper that runs the build', () => {
    expect([...helpers].filter((file) => /['/]dist\//.test(textOf(file)))).toEqual([]);
  });

  // They share a process, in which a helper is loaded once: its hooks would be those of one file alone.
  it('use no helper with hooks at its top, or one that replaces modules', () => {
    const forOne = /^(?:(?:before|after)(?:All|Each)|vi\.mock)\(/m;
    expect([...helpers].filter((file) => forOne.test(textOf(file)))).toEqual([]);
  });
});

/** What a test file imports of test/, at any depth. */
function helpersOf(file: string, seen = new Set<string>()): Set<string> {
  for (const specifier of specifiersOf(textOf(file))) {
    const helper = join(dirname(file), specifier);
    if (!specifier.startsWith('.') || seen.has(helper) || !existsSync(join(HERE, helper))) continue;
    if (helper.startsWith('../') || !helper.endsWith('.ts')) continue;
    seen.add(helper);
    helpersOf(helper, seen);
  }
  return seen;
}

function textOf(file: string): string {
  return readFileSync(join(HERE, file), 'utf8');
}
