import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { HostExporter } from './support/hostExporter.ts';
import { NAME_PREFIX, NamedNamespace } from './support/namedNamespace.ts';
import { describeLive } from './support/privilege.ts';

const DIRECTORY = '/run/netns';

/** What may stand where `ip netns` keeps its names, and is no network namespace. */
const STRANGE: readonly (readonly [string, (path: string) => unknown])[] = [
  ['a loop of links', (path) => symlinkSync(path, path)],
  ['a dangling link', (path) => symlinkSync('/nowhere', path)],
  ['a link to a named pipe', (path) => symlinkSync(strange('pipe', pipe), path)],
  ['a named pipe', pipe],
  ['an empty file', (path) => writeFileSync(path, '')],
  ['a directory', (path) => mkdirSync(path)],
  ['a socket', (path) => execFileSync('python3', ['-c', SOCKET, path])],
  ['a device', (path) => execFileSync('mknod', [path, 'c', '1', '7'])],
  ['a namespace of processes', (path) => mountOn(path, '/proc/self/ns/pid')],
  ['a namespace of users', (path) => mountOn(path, '/proc/self/ns/user')],
  ['a file of another file system', (path) => mountOn(path, '/proc/uptime')],
  ['a file system', (path) => mountTmpfs(path)],
  ['a name of 255 bytes', (path) => writeFileSync(path.padEnd(DIRECTORY.length + 1 + 255, 'x'), '')],
];
const SOCKET = 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])';

describeLive('An entry of /run/netns that is no network namespace', () => {
  it.each(STRANGE)('%s: is passed over, and nothing else', async (what, make) => {
    const namespace = new NamedNamespace();
    namespace.inside((world) => world.connect('127.0.0.1'));
    const exporter = new HostExporter();
    const before = outcomes(await exporter.sample());
    expect(Object.keys(before)).toContain(`${namespace.name} enter`);
    strange(what, make);
    for (let round = 0; round < 2; round++) {
      expect(outcomes(await exporter.sample())).toEqual(before);
      const [seen] = exporter.series('port_ephemeral_used_ports', { netns: namespace.name, protocol: 'tcp' });
      expect(seen?.value).toBe(1);
    }
    exporter.close();
    // The first sample, too.
    expect(outcomes(await new HostExporter().sample())).toEqual(before);
  });
});

/** `pe1-0 tcp` → the error of each collector. */
function outcomes({ namespaces }: Snapshot): Record<string, string | undefined> {
  const all = namespaces.flatMap(({ netns, outcomes }) =>
    outcomes.map(({ collector, error }) => [`${netns} ${collector}`, error] as const),
  );
  return Object.fromEntries(all);
}

let made = 0;

/** It ends with the test. */
function strange(what: string, make: (path: string) => unknown): string {
  const path = `${DIRECTORY}/${NAME_PREFIX}${what.replaceAll(' ', '-')}-${made++}`;
  onTestFinished(() => {
    for (const one of [path, path.padEnd(DIRECTORY.length + 1 + 255, 'x')]) {
      rmSync(one, { recursive: true, force: true });
    }
  });
  make(path);
  return path;
}

function pipe(path: string): void {
  execFileSync('mkfifo', [path]);
}

function mountOn(path: string, source: string): void {
  writeFileSync(path, '');
  execFileSync('mount', ['--bind', source, path]);
  onTestFinished(() => void execFileSync('umount', [path]));
}

function mountTmpfs(path: string): void {
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path]);
  onTestFinished(() => void execFileSync('umount', [path]));
}
