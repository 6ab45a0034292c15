import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { readCorpus } from './fuzz/corpus.ts';
import { firstFinding, fuzz } from './fuzz/fuzz.ts';
import { TARGETS, type Target } from './fuzz/targets.ts';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));
/** Takes a schema, and is run by those who have one. */
const GENERIC = ['base/parseYaml.ts parseYaml'];

it('every exported parser is fuzzed', () => {
  const parsers = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('web/page/browser/'))
    .flatMap((file) =>
      [...readFileSync(`${SRC}${file}`, 'utf8').matchAll(/^export (?:async )?function (parse\w*)/gm)].map(
        ([, name]) => `${file} ${name}`,
      ),
    );
  expect(parsers.length).toBeGreaterThan(25);
  expect(TARGETS.flatMap(({ parses }) => parses).toSorted()).toEqual(
    parsers.filter((parser) => !GENERIC.includes(parser)).toSorted(),
  );
});

it('every corpus is that of a target', () => {
  const names = TARGETS.map(({ name }) => name);
  expect(readdirSync(CORPUS).filter((name) => !names.includes(name))).toEqual([]);
});

describe('any bytes', () => {
  it.each(TARGETS)('are refused or read, soon and in little memory: $name', async (target) => {
    const { inputs, finding } = await fuzz(target, readCorpus(target.name), {
      seed: 1,
      isOver: (done) => done >= (target.isSlow ? 40 : 1500),
    });
    if (finding !== undefined) {
      throw new Error(
        `${finding.what}\nwith ${JSON.stringify(Buffer.from(finding.input).toString('latin1'))}`,
      );
    }
    expect(inputs).toBeGreaterThanOrEqual(40);
  });
});

describe('a parser is found that', () => {
  const target = (run: Target['run']): Target => ({ name: 'x', parses: [], seeds: [], run });
  const input = Buffer.from('x');
  const kept: Uint8Array[] = [];

  it.each<[string, Target['run'], RegExp]>([
    ['has a defect', () => (undefined as unknown as string).length, /^TypeError: /m],
    [
      'never ends',
      () => {
        for (;;);
      },
      /timed out/,
    ],
    [
      'takes too long',
      () => {
        for (const until = performance.now() + 250; performance.now() < until; );
      },
      /^took \d+ ms/,
    ],
    [
      'takes too much memory',
      () => {
        // All of them are kept, or what is freed meanwhile would make up for what is taken.
        kept.push(new Uint8Array(40 * 2 ** 20));
      },
      /MiB$/,
    ],
  ])('%s', async (_, run, what) => {
    const finding = await firstFinding(target(run), [Buffer.alloc(0), input]);
    expect(finding?.what).toMatch(what);
    kept.length = 0;
  });

  it('but not one that refuses', async () => {
    const refuses = target(() => {
      throw new ExporterError('invalid');
    });
    expect(await firstFinding(refuses, [input])).toBeUndefined();
  });
});

it('inputs are led by what they run', async () => {
  const [target] = TARGETS.filter(({ name }) => name === 'value');
  if (target === undefined) throw new Error('no such target');
  const { added } = await fuzz({ ...target, seeds: [] }, [], { seed: 1, isOver: (done) => done >= 5000 });
  // A number, a duration, a path: each of them runs what the others do not.
  expect(added.length).toBeGreaterThan(5);
});
