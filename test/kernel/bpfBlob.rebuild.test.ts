import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BPF_BLOBS } from '../../src/kernel/bpfBlob.ts';
import { BPF_FOLDER, buildBlob, compilerVersion, readBlobFile } from '../bpf/buildBlob.ts';

/** undefined where there is none. */
function installed(): string | undefined {
  try {
    execFileSync('bpftool', ['version'], { stdio: 'ignore' });
    return compilerVersion();
  } catch {
    return undefined;
  }
}

it.for(BPF_BLOBS)(
  'the blob of %s is what its compiler makes of the sources, byte for byte',
  (name, { skip }) => {
    const { compiler, ...shipped } = readBlobFile(name);
    if (installed() !== compiler) skip(`takes ${compiler}`);
    const { compiler: _, ...built } = buildBlob(name);
    expect(built).toEqual(shipped);
  },
);

it('every file of programs is in a blob, and every blob is checked in', () => {
  const files = readdirSync(BPF_FOLDER);
  const shipped = files.filter((file) => file.endsWith('.json')).map((file) => file.replace('.json', ''));
  expect(shipped.toSorted()).toEqual([...BPF_BLOBS].toSorted());
  const texts = BPF_BLOBS.map((name) => readFileSync(join(BPF_FOLDER, `${name}.bpf.c`), 'utf8'));
  const sources = files.filter((file) => file.endsWith('.bpf.c'));
  const stray = sources.filter(
    (file) =>
      !BPF_BLOBS.some((name) => file === `${name}.bpf.c`) &&
      !texts.some((text) => text.includes(`#include "${file}"`)),
  );
  expect(stray).toEqual([]);
});
