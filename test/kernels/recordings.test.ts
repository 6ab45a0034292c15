import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readRecording } from '../kernel/recordings.ts';
import { replay } from '../sampling/replay.ts';
import { steady } from '../support/steady.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/recordings/', import.meta.url));
const VERSIONS = ['6.1', '6.12', '6.18', '7.3'];

describe('What a kernel said is exposed as it was, of Linux', () => {
  it.each(VERSIONS)('%s', async (version) => {
    const recording = readRecording(`${FOLDER}${version}.jsonl.gz`);
    expect(recording.header.kernel).toMatch(new RegExp(`^${version.replace('.', '\\.')}\\.`));
    // What the comments say is in the golden output of /proc; that every collector succeeds is a condition of replaying.
    const series = steady(await replay(recording)).replaceAll(
      /^(#.*|port_exporter_sample_(success|duration_seconds)\{.*)?\n/gm,
      '',
    );
    const golden = `${FOLDER}${version}.prom`;
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, series);
    expect(series).toBe(readFileSync(golden, 'utf8'));
  });

  it('no other: each recording is replayed', () => {
    const names = readdirSync(FOLDER).filter((name) => name.endsWith('.gz'));
    expect(names.toSorted()).toEqual(VERSIONS.map((version) => `${version}.jsonl.gz`));
  });
});

it('a request that a kernel was never asked says how to record anew', async () => {
  const recording = readRecording(`${FOLDER}6.18.jsonl.gz`);
  const dumps = recording.answers.filter(({ kind }) => kind === 'dump');
  const withoutLast = recording.answers.filter((answer) => answer !== dumps.at(-1));
  await expect(replay({ ...recording, answers: withoutLast })).rejects.toThrow(
    /^collector udp: the recorded kernel 6\.18\.\S+ was never asked this \(record anew: npm run record:kernels\): netlink protocol 4, request 48/,
  );
});
