import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { NamespaceLabels } from '../../src/namespaces/labels.ts';
import { NamespaceRegistry } from '../../src/sampling/namespaceRegistry.ts';

const ID = 'c0ffee'.repeat(10).padEnd(64, '0');
const UID = '36b62f4e-1d2c-4b8a-9a6e-0f1e2d3c4b5a';
const POD = `/kubepods/burstable/pod${UID}/${ID}`;

let procfs = '';
let registry: NamespaceRegistry;
beforeEach(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-registry-'));
  addProcess(1, { inode: 1 });
  const labels = new NamespaceLabels(procfs);
  const own = labels.identify({ inode: 1, path: '', pid: 1, name: undefined });
  registry = new NamespaceRegistry({
    ...{ procfs, labels, own, wanted: undefined },
    netnsDirectory: join(procfs, 'netns'),
  });
  return () => rmSync(procfs, { recursive: true });
});

function addProcess(pid: number, { inode, startTime = pid }: { inode: number; startTime?: number }): void {
  mkdirSync(join(procfs, `${pid}/ns`), { recursive: true });
  symlinkSync(`net:[${inode}]`, join(procfs, `${pid}/ns/net`));
  become(pid, 'runc', '/', startTime);
}

function become(pid: number, name: string, cgroup: string, startTime = pid): void {
  writeFileSync(join(procfs, `${pid}/stat`), `${pid} (${name}) S ${'0 '.repeat(18)}${startTime} 0\n`);
  writeFileSync(join(procfs, `${pid}/cgroup`), `0::${cgroup}\n`);
}

const identities = () =>
  registry.members.map(({ identity: { netns, process, podUid } }) => ({ netns, process, podUid }));

it('looks again at a process that was just starting when its namespace was found', () => {
  addProcess(30, { inode: 2 });
  registry.refresh();
  expect(identities()).toEqual([{ netns: 'net:[2]', process: 'runc', podUid: '' }]);
  become(30, 'pause', POD);
  registry.refresh();
  expect(identities()).toEqual([{ netns: 'net:[2]', process: 'pause', podUid: UID }]);
  // What somebody in the pod makes later does not get the name that its own did not get.
  addProcess(40, { inode: 3 });
  become(40, 'intruder', POD);
  registry.refresh();
  expect(identities().map(({ netns }) => netns)).toEqual(['net:[2]', `${UID}/net:[3]`]);
});

it('gives the name of a pod to the namespace of its oldest process, though another has a lower pid', () => {
  addProcess(90, { inode: 2, startTime: 100 });
  become(90, 'pause', POD, 100);
  addProcess(20, { inode: 3, startTime: 500 });
  become(20, 'intruder', POD, 500);
  registry.refresh();
  expect(identities().map(({ netns, process }) => [process, netns])).toEqual([
    ['pause', UID],
    ['intruder', `${UID}/net:[3]`],
  ]);
});
