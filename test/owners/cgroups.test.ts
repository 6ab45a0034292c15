import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { CgroupPaths } from '../../src/owners/cgroups.ts';
import { walkCgroups } from '../../src/owners/cgroupTree.ts';
import { asNobody } from './asNobody.ts';

describe('a walk', () => {
  let mount: string;
  const make = (path: string) => {
    mkdirSync(mount + path, { recursive: true });
    writeFileSync(join(mount + path, 'cgroup.procs'), '');
    return statSync(mount + path).ino;
  };
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), 'port-exporter-cgroups-'));
    return () => rmSync(mount, { recursive: true });
  });

  it('finds every directory by its inode', () => {
    const expected = new Map(
      ['/', '/a.slice', '/a.slice/b.service', '/a.slice/b.service/c', '/d'].map((path) => [make(path), path]),
    );
    expect(new Map(walkCgroups(mount))).toEqual(expected);
  });

  it('follows no symbolic link', () => {
    make('/a');
    symlinkSync('..', join(mount, 'a/up'));
    expect([...walkCgroups(mount).values()]).toEqual(['/', '/a']);
  });

  it('of nothing is empty', () => {
    expect(walkCgroups(join(mount, 'nowhere')).size).toBe(0);
  });

  it('leaves out what it may not see', () => {
    make('/a/b');
    chmodSync(mount, 0o755);
    chmodSync(join(mount, 'a'), 0);
    expect(asNobody(() => [...walkCgroups(mount).values()])).toEqual(['/', '/a']);
    chmodSync(join(mount, 'a'), 0o755);
  });

  it('is limited in the length of a path', () => {
    for (const path of ['/a/bcd/e', '/f']) make(path);
    expect([...walkCgroups(mount, { depth: 9, cgroups: 100, pathLength: 4 }).values()].sort()).toEqual(
      ['/', '/a', '/f'].sort(),
    );
  });

  it('is limited in depth and number, and leaves out the deepest', () => {
    for (const path of ['/a/b/c/d', '/e/f', '/g']) make(path);
    expect([...walkCgroups(mount, { depth: 2, cgroups: 100, pathLength: 1024 }).values()].sort()).toEqual(
      ['/', '/a', '/a/b', '/e', '/e/f', '/g'].sort(),
    );
    expect([...walkCgroups(mount, { depth: 9, cgroups: 4, pathLength: 1024 }).values()].sort()).toEqual([
      '/',
      '/a',
      '/e',
      '/g',
    ]);
  });

  it('whoever makes many hides none of others', () => {
    const pod = '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab.slice';
    const honest = [
      `${pod}/crio-1.scope`,
      `${pod}/crio-1.scope/system.slice`,
      '/system.slice/b.service/worker',
    ];
    for (const path of honest) make(path);
    // Wider and less deep than the honest ones.
    for (let n = 0; n < 300; n++) make(`/system.slice/a.service/${n}`);
    for (let n = 0; n < 300; n++) make(`/srv/${n}/x`);
    const paths = [...walkCgroups(mount, { depth: 64, cgroups: 60, pathLength: 1024 }).values()];
    expect(paths.length).toBeGreaterThan(55);
    expect(paths.length).toBeLessThanOrEqual(60);
    expect(paths).toEqual(expect.arrayContaining(honest));
    const all = walkCgroups(mount, { depth: 64, cgroups: 5000, pathLength: 1024 });
    expect(all.size).toBe(1 + 5 + 3 + 301 + 601);
  });

  it('survives a tree that vanishes while it is walked', async () => {
    const { Worker } = await import('node:worker_threads');
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const churn = new Worker(
      `const { workerData: { mount, stop } } = require('node:worker_threads');
       const { mkdirSync, rmSync } = require('node:fs');
       while (Atomics.load(stop, 0) === 0) {
         mkdirSync(mount + '/a/b/c', { recursive: true });
         mkdirSync(mount + '/a/d', { recursive: true });
         rmSync(mount + '/a', { recursive: true });
       }`,
      { eval: true, workerData: { mount, stop } },
    );
    make('/z');
    try {
      for (const end = performance.now() + 500; performance.now() < end; ) {
        const paths = [...walkCgroups(mount).values()];
        expect(paths[0]).toBe('/');
        expect(paths).toContain('/z');
      }
    } finally {
      Atomics.store(stop, 0, 1);
      await new Promise((done) => churn.on('exit', done));
    }
  });
});

describe('the path of a cgroup id', () => {
  let tree: Map<number, string>;
  let walks: number;
  let paths: CgroupPaths;
  beforeEach(() => {
    tree = new Map([
      [1, '/'],
      [10, '/a.slice'],
    ]);
    walks = 0;
    paths = new CgroupPaths('/mount', () => {
      walks += 1;
      return new Map(tree);
    });
    paths.beginRound();
  });

  it('needs one walk for all of them, and none later', () => {
    for (let round = 0; round < 100; round++, paths.beginRound()) {
      expect([paths.path(1), paths.path(10)]).toEqual(['/', '/a.slice']);
    }
    expect(walks).toBe(1);
  });

  it('is found for a new cgroup in the next round at the latest', () => {
    paths.path(1);
    tree.set(11, '/new');
    expect(paths.path(11)).toBeUndefined();
    paths.beginRound();
    expect(paths.path(11)).toBe('/new');
    expect(walks).toBe(2);
  });

  it('stays known when the cgroup was removed', () => {
    paths.path(10);
    tree.delete(10);
    paths.beginRound();
    expect(paths.path(99)).toBeUndefined();
    expect(paths.path(10)).toBe('/a.slice');
    expect(walks).toBe(2);
  });

  it('of a removed cgroup never known costs two walks in forty rounds, however many there are', () => {
    for (let round = 0; round < 39; round++, paths.beginRound()) {
      for (let id = 1000; id < 1500; id++) expect(paths.path(id)).toBeUndefined();
    }
    expect(walks).toBe(2);
  });

  it('that a walk missed is found some rounds later', () => {
    paths.path(12);
    tree.set(12, '/missed');
    let rounds = 0;
    for (; paths.path(12) === undefined && rounds < 100; rounds++) paths.beginRound();
    expect(paths.path(12)).toBe('/missed');
    expect(rounds).toBeLessThanOrEqual(40);
  });

  it('is found in the next round after a walk that failed, which is made once', () => {
    const walk = vi.fn((): Map<number, string> => {
      throw new ExporterError('lstat() of /mount: ENOMEM');
    });
    const failing = new CgroupPaths('/mount', walk);
    failing.beginRound();
    expect(() => failing.path(10)).toThrow('ENOMEM');
    expect(failing.path(10)).toBeUndefined();
    expect(walk).toHaveBeenCalledTimes(1);
    failing.beginRound();
    walk.mockReturnValue(tree);
    expect(failing.path(10)).toBe('/a.slice');
  });

  it('is one walk a round while new ids keep coming', () => {
    for (let round = 0; round < 20; round++, paths.beginRound()) {
      paths.path(1000 + 2 * round);
      paths.path(1001 + 2 * round);
    }
    expect(walks).toBe(20);
  });

  it('of no cgroup is none, without a walk', () => {
    expect(paths.path(0)).toBeUndefined();
    expect(walks).toBe(0);
  });

  it('is unknown where nothing is mounted', () => {
    const nothing = new CgroupPaths(undefined);
    nothing.beginRound();
    expect(nothing.path(1)).toBeUndefined();
  });

  it('is read from the directories below a mount', () => {
    const mount = mkdtempSync(join(tmpdir(), 'port-exporter-cgroups-'));
    mkdirSync(join(mount, 'x.service'));
    const real = new CgroupPaths(mount);
    real.beginRound();
    expect(real.path(statSync(join(mount, 'x.service')).ino)).toBe('/x.service');
    rmdirSync(join(mount, 'x.service'));
    rmdirSync(mount);
  });
});
