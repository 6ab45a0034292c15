import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { buildBlob, compilerVersion, readBlobFile } from '../bpf/buildBlob.ts';

const { compiler, ...shipped } = readBlobFile('tables');

/** undefined where there is none. */
function installed(): string | undefined {
  try {
    execFileSync('bpftool', ['version'], { stdio: 'ignore' });
    return compilerVersion();
  } catch {
    return undefined;
  }
}

it.skipIf(installed() !== compiler)(
  `the blobs are what ${compiler} makes of the sources, byte for byte`,
  () => {
    const { compiler: _, ...built } = buildBlob('tables');
    expect(built).toEqual(shipped);
  },
);
