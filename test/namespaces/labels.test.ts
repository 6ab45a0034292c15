import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FoundNamespace } from '../../src/namespaces/found.ts';
import { NamespaceLabels } from '../../src/namespaces/labels.ts';
import { cpuMs } from '../support/cpu.ts';

const ID = 'c0ffee'.repeat(10).padEnd(64, '0');
const SHORT_ID = ID.slice(0, 12);
const UID = '36b62f4e-1d2c-4b8a-9a6e-0f1e2d3c4b5a';

let procfs = '';
beforeEach(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-labels-'));
});
afterEach(() => rmSync(procfs, { recursive: true }));

/** A process that started at its pid, or so many clock ticks after boot, in the namespace with that inode. */
function addProcess(pid: number, name: string, cgroup = '/', { startTime = pid, inode = 0 } = {}): void {
  const directory = join(procfs, String(pid));
  mkdirSync(join(directory, 'ns'), { recursive: true });
  writeFileSync(join(directory, 'stat'), `${pid} (${name}) S ${'0 '.repeat(18)}${startTime} 0\n`);
  if (inode !== 0) symlinkSync(`net:[${inode}]`, join(directory, 'ns/net'));
  writeFileSync(join(directory, 'cgroup'), `0::${cgroup}\n`);
}

function found(inode: number, pid?: number, name?: string): FoundNamespace {
  return { inode, path: '/nowhere', pid, name };
}

describe('a namespace is called', () => {
  it('host where PID 1 is in it, whatever else it is called', () => {
    addProcess(1, 'systemd', `/docker-${ID}.scope`);
    expect(new NamespaceLabels(procfs).identify(found(7, 1, 'blue'))).toEqual({
      ...{ netns: 'host', inode: 7, process: 'systemd' },
      ...{ container: SHORT_ID, podUid: '' },
    });
  });

  it('by ip netns, else by its pod, else by its container, else by its inode', () => {
    addProcess(
      10,
      'a',
      `/kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-${ID}.scope`,
    );
    addProcess(11, 'b', `/system.slice/docker-${ID}.scope`);
    addProcess(12, 'c', '/system.slice/nginx.service');
    addProcess(13, 'd', `/docker/${'a'.repeat(64)}`);
    const labels = new NamespaceLabels(procfs);
    const names = [found(1, 13, 'blue'), found(2, 10), found(3, 11), found(4, 12), found(5), found(6, 99)];
    expect(names.map((one) => labels.identify(one).netns)).toEqual([
      ...['blue', UID, SHORT_ID, 'net:[4]', 'net:[5]', 'net:[6]'],
    ]);
  });

  it('as long as it lives, while its process may be another', () => {
    addProcess(10, 'runc');
    addProcess(11, 'nginx', `/docker-${ID}.scope`);
    const labels = new NamespaceLabels(procfs);
    expect(labels.identify(found(1, 10))).toMatchObject({ netns: 'net:[1]', process: 'runc', container: '' });
    expect(labels.identify(found(1, 11, 'blue'))).toMatchObject({
      ...{ netns: 'net:[1]', process: 'nginx', container: SHORT_ID },
    });
    expect(labels.identify(found(1))).toMatchObject({ netns: 'net:[1]', process: '', container: '' });
    labels.forget(1);
    expect(labels.identify(found(1, 11, 'blue')).netns).toBe('blue');
  });

  it('host only where it is: not by ip netns', () => {
    const labels = new NamespaceLabels(procfs);
    expect(labels.identify(found(1, undefined, 'host')).netns).toBe('host/net:[1]');
    addProcess(1, 'init');
    expect(labels.identify(found(2, 1)).netns).toBe('host');
    expect(labels.identify(found(3, 30), true).netns).not.toBe('host');
  });

  it('without characters that nobody sees', () => {
    const labels = new NamespaceLabels(procfs);
    expect(labels.identify(found(1, undefined, 'a\nb\u202e')).netns).toBe('a\\u000ab\\u202e');
    expect(labels.identify(found(2, undefined, 'x'.repeat(255))).netns).toHaveLength(128);
    expect(labels.identify(found(3, undefined, 'x'.repeat(255))).netns).toMatch(/\/net:\[3\]$/);
  });

  it('by a name that no other has, whatever comes and goes', () => {
    addProcess(10, 'a', `/docker-${ID}.scope`);
    const step = fc.record({
      inode: fc.integer({ min: 1, max: 5 }),
      forgotten: fc.boolean(),
      name: fc.constantFrom(undefined, 'host', 'blue', 'net:[1]', 'net:[2]', SHORT_ID),
      pid: fc.constantFrom(undefined, 10),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const labels = new NamespaceLabels(procfs);
        const living = new Map<number, string>();
        for (const { inode, forgotten, name, pid } of steps) {
          if (forgotten) {
            labels.forget(inode);
            living.delete(inode);
            continue;
          }
          const { netns } = labels.identify(found(inode, pid, name));
          expect(netns).toBe(living.get(inode) ?? netns);
          living.set(inode, netns);
        }
        expect(new Set(living.values()).size).toBe(living.size);
      }),
    );
  });
});

describe('of several namespaces of one pod', () => {
  const POD = `/kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-${ID}.scope`;
  const nameAll = (labels: NamespaceLabels, ...namespaces: FoundNamespace[]) =>
    Object.fromEntries(
      labels.inOrder(namespaces).map((one) => [one.inode, labels.identify(one).netns] as const),
    );

  it.each([
    ['whatever the order', [2, 1]],
    ['in order', [1, 2]],
  ])('that of its oldest process has its name, %s', (_, order) => {
    // Pids began anew: the lowest of each say nothing.
    addProcess(900, 'pause', POD, { startTime: 50, inode: 1 });
    addProcess(30, 'worker', POD, { startTime: 400, inode: 1 });
    addProcess(20, 'intruder', POD, { startTime: 300, inode: 2 });
    const both = [found(1, 30), found(2, 20)];
    const ordered = order.map((inode) => both.find((one) => one.inode === inode) as FoundNamespace);
    expect(nameAll(new NamespaceLabels(procfs), ...ordered)).toEqual({ 1: UID, 2: `${UID}/net:[2]` });
  });

  it('the first seen keeps its name', () => {
    addProcess(30, 'pause', POD, { inode: 1 });
    addProcess(20, 'intruder', POD, { startTime: 300, inode: 2 });
    const labels = new NamespaceLabels(procfs);
    expect(nameAll(labels, found(1, 30))).toEqual({ 1: UID });
    expect(nameAll(labels, found(2, 20), found(1, 30))).toEqual({ 1: UID, 2: `${UID}/net:[2]` });
  });

  it.each([
    ['by ip netns', '/', 'cni-1', 'cni-1'],
    ['before its process was put into its cgroup', '/', undefined, 'net:[1]'],
  ])('none has its name where the oldest got another: %s', (_, cgroup, name, netns) => {
    addProcess(30, 'runc', cgroup, { inode: 1 });
    const labels = new NamespaceLabels(procfs);
    expect(nameAll(labels, found(1, 30, name))).toEqual({ 1: netns });
    writeFileSync(join(procfs, '30/cgroup'), `0::${POD}\n`);
    labels.identify(found(1, 30, name));
    addProcess(40, 'intruder', POD, { inode: 2 });
    expect(nameAll(labels, found(1, 30, name), found(2, 40))).toEqual({ 1: netns, 2: `${UID}/net:[2]` });
    labels.forget(1);
    labels.forget(2);
    expect(nameAll(labels, found(2, 40))).toEqual({ 2: UID });
  });

  it('costs next to nothing, however many there are', () => {
    addProcess(30, 'pause', POD, { inode: 1 });
    const many = Array.from({ length: 20_000 }, (_, index) => found(index + 1));
    const labels = new NamespaceLabels(procfs);
    expect(cpuMs(() => nameAll(labels, ...many))).toBeLessThan(2000);
  });
});

it.each([
  ['of a user', '/user.slice/user-1000.slice/user@1000.service'],
  ['of a service', '/system.slice/web.service'],
  ['of a container', `/docker/${'a'.repeat(64)}`],
])('a program in a cgroup %s gives its namespace no name of others', (_, cgroup) => {
  const claims = [
    `kubepods/pod${UID}/${ID}`,
    `kubepods-pod${UID.replaceAll('-', '_')}.slice/crio-${ID}.scope`,
    ...[ID, `docker-${ID}.scope`, `libpod-payload-${ID}`, 'lxc.payload.web'],
  ];
  claims.forEach((claim, index) => {
    const pid = index + 10;
    addProcess(pid, 'intruder', `${cgroup}/${claim}`);
    const { netns, container, podUid } = new NamespaceLabels(procfs).identify(found(7, pid));
    const own = cgroup.startsWith('/docker') ? 'aaaaaaaaaaaa' : '';
    expect({ claim, netns, container, podUid }).toEqual({
      ...{ claim, netns: own || 'net:[7]', container: own, podUid: '' },
    });
  });
});
