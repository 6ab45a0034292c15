import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCgroupMount } from '../../src/owners/cgroupMount.ts';
import { CgroupPaths } from '../../src/owners/cgroups.ts';
import { walkCgroups } from '../../src/owners/cgroupTree.ts';
import { ListenerProcesses } from '../../src/owners/listenerProcesses.ts';
import { ownerOf } from '../../src/owners/ownerName.ts';
import { UserNames } from '../../src/owners/users.ts';
import { asNobody } from '../owners/asNobody.ts';
import { CgroupSandbox, describeWithCgroups } from '../owners/cgroupSandbox.ts';
import { type Server, Servers } from '../owners/servers.ts';

const AMPLE = 20_000;
const { CI } = process.env;
const isRoot = process.geteuid?.() === 0;
const hasSs = spawnSync('ss', ['-V']).status === 0;

let servers: Servers;
beforeEach(() => {
  servers = new Servers();
  return () => servers.close();
});

describe('sockets of real processes', () => {
  it('are found without knowing their cgroups', async () => {
    const server = await servers.start({ listeners: 3 });
    const processes = lookup(server, undefined);
    for (const inode of server.inodes) {
      expect(processes.holder(inode)).toEqual({
        pid: server.pid,
        name: commOf(server.pid),
        user: userInfo().username,
      });
    }
  });

  it('belong to the master of those that inherited them', async () => {
    const server = await servers.start({ workers: 3 });
    expect(server.workers).toHaveLength(3);
    expect(lookup(server, undefined).holder(server.inodes[0] ?? 0)?.pid).toBe(
      Math.min(server.pid, ...server.workers),
    );
  });

  it.each([
    ['blanks and brackets', Buffer.from('a b) S (c'), 'a b) S (c'],
    ['quotes and backslashes', Buffer.from('"a"\\b\'{}'), '"a"\\b\'{}'],
    ['a newline', Buffer.from('two\nlines'), 'two\\u000alines'],
    ['a terminal escape', Buffer.from('\u001b[31mred\u0007'), '\\u001b[31mred\\u0007'],
    ['invalid UTF-8', Buffer.from([0x61, 0xff, 0xc3, 0x28, 0x80]), 'a\ufffd\ufffd(\ufffd'],
    ['C1 and delete', Buffer.from('a\u009b1m\u007f'), 'a\\u009b1m\\u007f'],
    ['another direction', Buffer.from('a\u202egpj'), 'a\\u202egpj'],
    ['a character cut in two', Buffer.from('fourteen bytes\u00e9'), 'fourteen bytes\ufffd'],
    ['nothing', Buffer.from([0]), ''],
  ])('may be of a process whose name is %s', async (_, comm, name) => {
    const server = await servers.start({ comm });
    expect(lookup(server, undefined).holder(server.inodes[0] ?? 0)).toMatchObject({ pid: server.pid, name });
  });

  it.skipIf(!isRoot && CI !== 'true')('show the user the process became (needs root)', async () => {
    const server = await servers.start({ uid: 65_534 });
    const nobody = new UserNames().name(65_534);
    expect(lookup(server, undefined).holder(server.inodes[0] ?? 0)?.user).toBe(nobody);
  });

  it.skipIf(!isRoot && CI !== 'true')(
    'have no holder without the privilege, which is said (needs root)',
    async () => {
      const server = await servers.start();
      const processes = listenerProcesses();
      asNobody(() => processes.lookup(wanted(server, undefined), AMPLE));
      expect(processes.holder(server.inodes[0] ?? 0)).toBeUndefined();
      expect(processes.refusedPid).toEqual(expect.any(Number));
    },
  );

  it('of a process that ended have no holder any more', async () => {
    const server = await servers.start();
    const processes = lookup(server, undefined);
    expect(processes.holder(server.inodes[0] ?? 0)?.pid).toBe(server.pid);
    await server.stop();
    processes.lookup(wanted(server, undefined), AMPLE);
    expect(processes.holder(server.inodes[0] ?? 0)).toBeUndefined();
  });

  it('are found while other processes come and go', async () => {
    const server = await servers.start();
    for (let round = 0; round < 10; round++) {
      const coming = Array.from({ length: 4 }, () => servers.start());
      expect(lookup(server, undefined).holder(server.inodes[0] ?? 0)?.pid).toBe(server.pid);
      for (const other of await Promise.all(coming)) {
        const stopped = other.stop();
        lookup(other, undefined);
        await stopped;
      }
    }
  });

  it.skipIf(!hasSs && CI !== 'true')('are those that ss shows (needs ss)', async () => {
    const all = await Promise.all([
      servers.start({ listeners: 5 }),
      servers.start({ workers: 2 }),
      servers.start({ comm: Buffer.from('renamed') }),
    ]);
    for (const server of all) {
      const processes = lookup(server, undefined);
      for (const [index, port] of server.ports.entries()) {
        const holders = ss(port);
        const { pid = 0, name } = processes.holder(server.inodes[index] ?? 0) ?? {};
        expect(pid).toBe(Math.min(...holders.keys()));
        expect(name).toBe(holders.get(pid));
      }
    }
  });
});

describeWithCgroups('real cgroups', () => {
  let sandbox: CgroupSandbox;
  beforeEach(() => {
    sandbox = new CgroupSandbox();
  });
  afterEach(async () => {
    await servers.close();
    await sandbox.close();
  });

  it('are mounted where the mount table says', () => {
    const mount = findCgroupMount('/proc', '/sys').path;
    expect(mount).toBeDefined();
    expect([...walkCgroups(mount ?? '').values()]).toContain(sandbox.base);
  });

  it('have ids that lead to their paths, and to who they belong to', () => {
    const id = `${'0123456789abcdef'.repeat(4)}`;
    const paths = new CgroupPaths(sandbox.mount);
    paths.beginRound();
    const slice = sandbox.make('/test.slice');
    const service = sandbox.make('/test.slice/web.service');
    const docker = sandbox.make(`/test.slice/docker-${id}.scope`);
    expect(paths.path(service.id)).toBe(service.path);
    expect(paths.path(slice.id)).toBe(slice.path);
    expect(ownerOf(paths.path(service.id) ?? '').owner).toBe('web.service');
    expect(ownerOf(paths.path(docker.id) ?? '').owner).toBe('container/0123456789ab');
    const late = sandbox.make('/test.slice/late.service');
    expect(paths.path(late.id)).toBeUndefined();
    paths.beginRound();
    expect(paths.path(late.id)).toBe(late.path);
    sandbox.remove('/test.slice/late.service');
    expect(sandbox.make('/test.slice/late.service').id).not.toBe(late.id);
    expect(paths.path(late.id)).toBe(late.path);
  });

  it('are all found, however many', () => {
    const made = Array.from({ length: 20 }, (_, slice) => {
      sandbox.make(`/${slice}.slice`);
      return Array.from({ length: 20 }, (_, index) => sandbox.make(`/${slice}.slice/${index}.service`));
    }).flat();
    const tree = walkCgroups(sandbox.mount);
    for (const { id, path } of made) expect(tree.get(id)).toBe(path);
  });

  it('lead from a socket to its process, and to no other', async () => {
    const [web, db] = [sandbox.make('/web.service'), sandbox.make('/db.service')];
    const inWeb = await servers.start({ cgroup: sandbox.directory('/web.service'), workers: 2 });
    const inDb = await servers.start({ cgroup: sandbox.directory('/db.service') });
    const [webInode = 0, dbInode = 0] = [...inWeb.inodes, ...inDb.inodes];
    const processes = listenerProcesses(sandbox.mount);
    processes.lookup(
      [
        { inode: webInode, cgroupPath: web.path },
        { inode: dbInode, cgroupPath: db.path },
      ],
      AMPLE,
    );
    expect([webInode, dbInode].map((inode) => processes.holder(inode)?.pid)).toEqual([inWeb.pid, inDb.pid]);
    const misled = listenerProcesses(sandbox.mount);
    misled.lookup([{ inode: webInode, cgroupPath: db.path }], AMPLE);
    expect(misled.holder(webInode)).toBeUndefined();
  });

  it('of an activated unit lead to its service', async () => {
    const socket = sandbox.make('/ssh.socket');
    sandbox.make('/ssh.service');
    const server = await servers.start({ cgroup: sandbox.directory('/ssh.socket') });
    writeFileSync(`${sandbox.directory('/ssh.service')}/cgroup.procs`, String(server.pid));
    const processes = listenerProcesses(sandbox.mount);
    processes.lookup(wanted(server, socket.path), AMPLE);
    expect(processes.holder(server.inodes[0] ?? 0)?.pid).toBe(server.pid);
  });

  it('that are threaded list their processes above', async () => {
    const threaded = sandbox.make('/threaded');
    writeFileSync(`${sandbox.directory('/threaded')}/cgroup.type`, 'threaded');
    expect(() => readFileSync(`${sandbox.directory('/threaded')}/cgroup.procs`)).toThrow(
      /ENOTSUP|EOPNOTSUPP/,
    );
    const server = await servers.start({ cgroup: sandbox.directory('') });
    const processes = listenerProcesses(sandbox.mount);
    processes.lookup(wanted(server, threaded.path), AMPLE);
    expect(processes.holder(server.inodes[0] ?? 0)?.pid).toBe(server.pid);
  });

  it('bound the work of a round also with a process of many descriptors', async () => {
    const cgroup = sandbox.make('/many.service');
    const server = await servers.start({
      cgroup: sandbox.directory('/many.service'),
      files: 900,
      listeners: 50,
    });
    const processes = listenerProcesses(sandbox.mount);
    let rounds = 0;
    while (server.inodes.some((inode) => processes.holder(inode) === undefined) && rounds < 10_000) {
      processes.lookup(wanted(server, cgroup.path), 0.2);
      rounds += 1;
    }
    expect(server.inodes.map((inode) => processes.holder(inode)?.pid)).toEqual(
      server.inodes.map(() => server.pid),
    );
    expect(rounds).toBeGreaterThan(1);
    processes.close();
  });
});

function listenerProcesses(cgroupMount?: string): ListenerProcesses {
  return new ListenerProcesses({ procfs: '/proc', cgroupMount, users: new UserNames() });
}

function lookup(server: Server, cgroupPath: string | undefined): ListenerProcesses {
  const processes = listenerProcesses();
  processes.lookup(wanted(server, cgroupPath), AMPLE);
  return processes;
}

function wanted({ inodes }: Server, cgroupPath: string | undefined) {
  return inodes.map((inode) => ({ inode, cgroupPath }));
}

function commOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
}

/** pid → name of those that hold the listener of a port. */
function ss(port: number): Map<number, string> {
  const { stdout } = spawnSync('ss', ['-ltnpH', `sport = :${port}`], { encoding: 'utf8' });
  return new Map(
    [...stdout.matchAll(/\("([^"]*)",pid=(\d+),fd=\d+\)/g)].map(([, name = '', pid]) => [Number(pid), name]),
  );
}
