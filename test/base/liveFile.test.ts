import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { type LiveFile, openLiveFile } from '../../src/base/liveFile.ts';
import { newDirectory } from '../e2e/support/procfs.ts';

/** A file in a directory of its own; the text `bad` is bad. `told` is what was said of its changes. */
async function open(write: (directory: string) => string) {
  const directory = newDirectory();
  const file = write(directory);
  const told: string[] = [];
  const live: LiveFile<string> = await openLiveFile({
    async load(reader) {
      const text = (await reader.read(file)).toString();
      if (text.includes('bad')) throw new ExporterError(`refused ${text}`);
      return text;
    },
    taken: (text) => told.push(`taken ${text}`),
    refused: ({ message }) => told.push(message.replace(directory, '')),
    failed: (error) => told.push(`failed ${error}`),
    lookMs: 5,
  });
  onTestFinished(() => live.close());
  const becomes = (...expected: string[]) => vi.waitFor(() => expect(told).toEqual(expected), 10_000);
  return { live, directory, file, told, becomes };
}

const written = (directory: string): string => {
  writeFileSync(join(directory, 'file'), 'one');
  return join(directory, 'file');
};

it('a file is taken up when it changes, and the last good one kept while it is bad', async () => {
  const { live, file, becomes } = await open(written);
  expect(live.current).toBe('one');
  writeFileSync(file, 'two');
  await becomes('taken two');
  expect(live.current).toBe('two');
  writeFileSync(file, 'bad 1');
  await becomes('taken two', 'refused bad 1');
  expect(live.current).toBe('two');
  // Once for each bad content.
  await new Promise((resolve) => setTimeout(resolve, 100));
  writeFileSync(file, 'bad 2');
  await becomes('taken two', 'refused bad 1', 'refused bad 2');
  rmSync(file);
  await becomes('taken two', 'refused bad 1', 'refused bad 2', '/file: no such file or directory (ENOENT)');
  writeFileSync(file, 'two');
  await becomes(
    'taken two',
    'refused bad 1',
    'refused bad 2',
    '/file: no such file or directory (ENOENT)',
    'taken two',
  );
});

it('a file is read at once by who asks for it, and told of once', async () => {
  const { live, file, told, becomes } = await open(written);
  expect(await live.reload()).toBe('unchanged');
  writeFileSync(file, 'two');
  await live.reload();
  expect(live.current).toBe('two');
  writeFileSync(file, 'bad');
  await live.reload();
  expect(live.current).toBe('two');
  await becomes('taken two', 'refused bad');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(told).toEqual(['taken two', 'refused bad']);
});

it('so is one that is renamed into its place, and one behind a link that is turned elsewhere', async () => {
  const { directory, becomes } = await open((where) => {
    // As Kubernetes mounts it: file → ..data/file, ..data → a directory of its own for each version.
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(where, version));
      writeFileSync(join(where, version, 'file'), version);
    }
    symlinkSync('v1', join(where, '..data'));
    symlinkSync('..data/file', join(where, 'file'));
    return join(where, 'file');
  });
  symlinkSync('v2', join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  await becomes('taken v2');
  writeFileSync(join(directory, 'new'), 'v3');
  renameSync(join(directory, 'new'), join(directory, 'file'));
  await becomes('taken v2', 'taken v3');
});

it('a bad one is refused as often as it is asked for, whoever has seen it, and told of once', async () => {
  const { live, file, becomes } = await open(written);
  writeFileSync(file, 'bad');
  await becomes('refused bad');
  expect(await live.reload()).toBe('refused');
  expect(await live.reload()).toBe('refused');
  writeFileSync(file, 'two');
  await becomes('refused bad', 'taken two');
  expect(await live.reload()).toBe('unchanged');
});

it('a bad one at the start is thrown', async () => {
  await expect(open((directory) => join(directory, 'missing'))).rejects.toThrow(
    'missing: no such file or directory (ENOENT)',
  );
});

it('nobody looks at it once it is closed', async () => {
  const { live, file, told } = await open(written);
  live.close();
  writeFileSync(file, 'two');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(told).toEqual([]);
});
