import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';

const children = new Set<ChildProcess>();
const cgroups: string[] = [];
afterEach(async () => {
  for (const child of children) await endHolder(child);
  for (const directory of cgroups.splice(0).toReversed()) rmdirSync(directory);
});

/** A process that does nothing in a network namespace of its own; it ends with the test. */
export async function newHolder(command = ['unshare', '--net', 'sleep', '1000']): Promise<ChildProcess> {
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore' });
  children.add(child);
  const isThere = () => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n';
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 2));
  return child;
}

/** One of that cgroup. */
export function newHolderIn(cgroup: string): Promise<ChildProcess> {
  return newHolder(['sh', '-c', `echo $$ > ${cgroup}/cgroup.procs && exec unshare --net sleep 1000`]);
}

export async function endHolder(child: ChildProcess): Promise<void> {
  children.delete(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

export function namespaceInodeOf(pid: number | undefined): number {
  return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0]);
}

/** Where cgroup v2 is mounted; undefined where it is not. */
export function cgroupMount(): string | undefined {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[2] === 'cgroup2');
  return line?.split(' ')[1];
}

/** A directory below the mount, made with those above it; all end with the test. */
export function newCgroup(mount: string, ...segments: string[]): string {
  return segments.reduce((parent, segment) => {
    const directory = join(parent, segment);
    mkdirSync(directory);
    cgroups.push(directory);
    return directory;
  }, mount);
}
