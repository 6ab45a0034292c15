import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { Descriptors } from '../../src/owners/descriptors.ts';
import type { HeldSocket, HoldersOf } from '../../src/owners/heldSocket.ts';
import { ListenerProcesses } from '../../src/owners/listenerProcesses.ts';
import { UserNames } from '../../src/owners/users.ts';
import { FakeHost, sockets } from './fakeHost.ts';

const AMPLE = 10_000;
const PATH = '/system.slice/web.service';

let host: FakeHost;
let processes: ListenerProcesses;
beforeEach(() => {
  host = new FakeHost();
  processes = new ListenerProcesses({
    procfs: host.procfs,
    cgroupMount: host.cgroupMount,
    users: new UserNames(host.root),
  });
  return () => {
    vi.restoreAllMocks();
    processes.close();
    expect(openDirectories()).toEqual([]);
    host.remove();
  };
});

const wanted = (...inodes: readonly number[]) => inodes.map((inode) => ({ inode, cgroupPath: PATH }));
const pidOf = (inode: number) => processes.holder(inode)?.pid;

describe('the holder of a socket', () => {
  it('is found in its cgroup, with name and user', () => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', ['/dev/null', 'pipe:[7]', ...sockets(500, 501), 'anon_inode:[eventpoll]']);
    processes.lookup(wanted(501), AMPLE);
    expect(processes.holder(501)).toEqual({ pid: 20, name: 'web', user: 'me' });
    expect(processes.holder(500)).toBeUndefined();
  });

  it('is not looked for elsewhere', () => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', []);
    host.process(21, 'other', sockets(500));
    processes.lookup(wanted(500), AMPLE);
    expect(processes.holder(500)).toBeUndefined();
    expect(processes.refusedPid).toBeUndefined();
  });

  it('is the lowest pid of several', () => {
    host.cgroup(PATH, [31, 20, 25]);
    for (const pid of [20, 25, 31]) host.process(pid, `web-${pid}`, sockets(500));
    processes.lookup(wanted(500), AMPLE);
    expect(pidOf(500)).toBe(20);
  });

  it('is found for many sockets of many processes and cgroups at once', () => {
    const many = [];
    for (let cgroup = 0; cgroup < 10; cgroup++) {
      const pids = Array.from({ length: 10 }, (_, index) => 1000 + 10 * cgroup + index);
      host.cgroup(`/c${cgroup}`, pids);
      for (const pid of pids) {
        host.process(pid, 'x', sockets(pid * 10, pid * 10 + 1));
        many.push(
          { inode: pid * 10, cgroupPath: `/c${cgroup}` },
          { inode: pid * 10 + 1, cgroupPath: `/c${cgroup}` },
        );
      }
    }
    processes.lookup(many, AMPLE);
    expect(many.map(({ inode }) => pidOf(inode))).toEqual(many.map(({ inode }) => Math.floor(inode / 10)));
  });

  it('of no inode is none', () => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', sockets(0));
    processes.lookup(wanted(0), AMPLE);
    expect(processes.holder(0)).toBeUndefined();
  });

  it('is looked for everywhere where the cgroup is unknown, and again once it is known', () => {
    host.process(20, 'web', sockets(500));
    processes.lookup(
      [
        { inode: 500, cgroupPath: undefined },
        { inode: 501, cgroupPath: undefined },
      ],
      AMPLE,
    );
    expect(pidOf(500)).toBe(20);
    expect(pidOf(501)).toBeUndefined();
    host.cgroup(PATH, [21]);
    host.process(21, 'late', sockets(501));
    processes.lookup([{ inode: 501, cgroupPath: undefined }], AMPLE);
    expect(pidOf(501)).toBeUndefined();
    processes.lookup(wanted(501), AMPLE);
    expect(pidOf(501)).toBe(21);
  });

  it('survives processes that vanish, have no stat, or are no processes', () => {
    host.cgroup(PATH, [18, 19, 20, 21]);
    host.process(19, 'x) broken', sockets(500));
    writeFileSync(join(host.procfs, '19/stat'), 'rubbish');
    host.process(20, 'web', sockets(500));
    writeFileSync(join(host.procfs, '21'), 'a file');
    processes.lookup(wanted(500, 501), AMPLE);
    expect(pidOf(500)).toBe(20);
    expect(pidOf(501)).toBeUndefined();
  });
});

describe('what was found', () => {
  beforeEach(() => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', sockets(500));
    processes.lookup(wanted(500, 501), AMPLE);
    expect(pidOf(500)).toBe(20);
  });

  it('is remembered, and so is that there was nothing', () => {
    host.cgroup(PATH, [5, 20]);
    host.process(5, 'later', sockets(500, 501));
    processes.lookup(wanted(500, 501), AMPLE);
    expect(pidOf(500)).toBe(20);
    expect(pidOf(501)).toBeUndefined();
  });

  it('is forgotten when nobody wants it any more', () => {
    processes.lookup([], AMPLE);
    expect(processes.holder(500)).toBeUndefined();
    host.process(20, 'web', sockets(501));
    processes.lookup(wanted(501), AMPLE);
    expect(pidOf(501)).toBe(20);
  });

  it('is looked for again when the process is gone', () => {
    host.end(20);
    host.cgroup(PATH, [30]);
    host.process(30, 'next', sockets(500));
    processes.lookup(wanted(500), AMPLE);
    expect(processes.holder(500)).toMatchObject({ pid: 30, name: 'next' });
  });

  it('is nothing when the process is gone and nobody followed', () => {
    host.end(20);
    processes.lookup(wanted(500), AMPLE);
    expect(processes.holder(500)).toBeUndefined();
  });

  it('is looked for again when another process has the pid', () => {
    host.process(20, 'stranger', [], 99_999);
    host.cgroup(PATH, [20, 30]);
    host.process(30, 'next', sockets(500));
    processes.lookup(wanted(500), AMPLE);
    expect(pidOf(500)).toBe(30);
  });

  it('is looked for again when the process lives on without the socket', () => {
    host.closeDescriptors(20);
    host.cgroup(PATH, [20, 30]);
    host.process(30, 'next', sockets(500));
    processes.lookup(wanted(500), AMPLE);
    expect(pidOf(500)).toBe(30);
  });

  it('shows the name the process has now', () => {
    host.process(20, 'web: master', sockets(500));
    processes.lookup(wanted(500), AMPLE);
    expect(processes.holder(500)).toMatchObject({ pid: 20, name: 'web: master' });
  });
});

describe('the budget', () => {
  /** A clock that advances with each look at it. */
  function tick(milliseconds: number): void {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += milliseconds;
      return now;
    });
  }

  it('of nothing finds nothing', () => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', sockets(500));
    processes.lookup(wanted(500), 0);
    expect(processes.holder(500)).toBeUndefined();
    processes.lookup(wanted(500), AMPLE);
    expect(pidOf(500)).toBe(20);
  });

  it('ends a round between processes; the next goes on from there', () => {
    host.cgroup(PATH, [20, 21, 22, 23, 24, 25]);
    for (let pid = 20; pid < 25; pid++) host.process(pid, 'idle', []);
    host.process(25, 'web', sockets(500));
    tick(1);
    const rounds = roundsUntil(() => pidOf(500) !== undefined, wanted(500), 7);
    expect(rounds).toBeGreaterThan(1);
    expect(rounds).toBeLessThan(8);
  });

  it('ends a round within a process of many descriptors; the next goes on from there', () => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', [...Array(1000).fill('/dev/null'), ...sockets(500)]);
    tick(1);
    const rounds = roundsUntil(() => pidOf(500) !== undefined, wanted(500), 8);
    expect(rounds).toBeGreaterThan(1);
    expect(rounds).toBeLessThan(20);
  });

  it('lets cgroups take turns: one of endless work holds up no other', () => {
    host.cgroup('/endless', [20]);
    host.process(20, 'endless', Array(3000).fill('/dev/null'));
    host.cgroup(PATH, [30]);
    host.process(30, 'web', sockets(500));
    tick(1);
    const both = [{ inode: 400, cgroupPath: '/endless' }, ...wanted(500)];
    expect(roundsUntil(() => pidOf(500) !== undefined, both, 8)).toBeLessThanOrEqual(3);
    expect(openDirectories()).toHaveLength(1);
  });

  it('holds up no socket while others keep coming', () => {
    host.cgroup(PATH, [20, 21, 22, 23]);
    for (let pid = 20; pid < 23; pid++) host.process(pid, 'idle', []);
    host.process(23, 'web', sockets(500));
    tick(1);
    let next = 10_000;
    const churn = () => wanted(500, next++, next++);
    let rounds = 0;
    for (; pidOf(500) === undefined && rounds < 50; rounds++) processes.lookup(churn(), 7);
    expect(rounds).toBeLessThan(20);
  });

  it('leaves no directory open of a search that nobody wants any more', () => {
    host.cgroup(PATH, [20]);
    host.process(20, 'web', Array(1000).fill('/dev/null'));
    tick(1);
    processes.lookup(wanted(500), 8);
    expect(openDirectories()).toHaveLength(1);
    processes.lookup(wanted(501), 8);
    processes.lookup([], 8);
    expect(openDirectories()).toEqual([]);
  });

  it('also bounds the checks of what is remembered, which take turns', () => {
    const pids = Array.from({ length: 100 }, (_, index) => 100 + index);
    host.cgroup(PATH, pids);
    for (const pid of pids) host.process(pid, 'x', sockets(pid));
    const all = wanted(...pids);
    processes.lookup(all, AMPLE);
    for (const pid of pids) host.process(pid, 'renamed', sockets(pid));
    tick(1);
    processes.lookup(all, 50);
    const renamed = () => pids.filter((pid) => processes.holder(pid)?.name === 'renamed').length;
    expect(renamed()).toBeGreaterThan(5);
    expect(renamed()).toBeLessThan(50);
    for (let round = 0; round < 20; round++) processes.lookup(all, 50);
    expect(renamed()).toBe(100);
  });

  function roundsUntil(
    found: () => boolean,
    sought: readonly { inode: number; cgroupPath: string }[],
    budgetMs: number,
  ): number {
    for (let rounds = 0; rounds < 100; rounds++) {
      if (found()) return rounds;
      processes.lookup(sought, budgetMs);
    }
    throw new Error('never found');
  }
});

/** Directories of the fake /proc that this process has open. */
function openDirectories(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(host.procfs) ? [path] : [];
    } catch {
      return [];
    }
  });
}

describe('where the kernel tells who holds a socket', () => {
  let told: HeldSocket[];
  let asked: number[][];
  const tell: HoldersOf = (inodes) => {
    asked.push([...inodes]);
    return told.filter(({ inode }) => inodes.has(inode));
  };
  beforeEach(() => {
    told = [];
    asked = [];
    host.cgroup(PATH, [20, 21]);
    host.process(20, 'web', sockets(400, 500));
    host.process(21, 'worker', sockets(500, 501));
  });

  it('no process is looked into', () => {
    told = [{ inode: 500, pid: 20, descriptor: 1 }];
    const opened = vi.spyOn(Descriptors.prototype, 'read');
    processes.lookup(wanted(500), AMPLE, tell);
    expect(processes.holder(500)).toEqual({ pid: 20, name: 'web', user: 'me' });
    expect(opened).not.toHaveBeenCalled();
  });

  it('it is asked once, for what is new', () => {
    told = [{ inode: 500, pid: 20, descriptor: 1 }];
    processes.lookup(wanted(500), AMPLE, tell);
    processes.lookup(wanted(500), AMPLE, tell);
    told.push({ inode: 501, pid: 21, descriptor: 1 });
    processes.lookup(wanted(500, 501), AMPLE, tell);
    expect(asked).toEqual([[500], [501]]);
    expect([pidOf(500), pidOf(501)]).toEqual([20, 21]);
  });

  it('of several the likeliest counts', () => {
    told = [
      { inode: 500, pid: 1, descriptor: 0 },
      { inode: 500, pid: 21, descriptor: 0 },
      { inode: 500, pid: 20, descriptor: 1 },
    ];
    processes.lookup(wanted(500), AMPLE, tell);
    expect(pidOf(500)).toBe(20);
  });

  it('what it does not tell is looked for', () => {
    told = [{ inode: 500, pid: 20, descriptor: 1 }];
    processes.lookup(wanted(500, 501), AMPLE, tell);
    expect([pidOf(500), pidOf(501)]).toEqual([20, 21]);
  });

  it('a process that is gone by now is none, and what is left is looked for', () => {
    told = [{ inode: 500, pid: 19, descriptor: 3 }];
    processes.lookup(wanted(500), AMPLE, tell);
    expect(pidOf(500)).toBe(20);
  });

  it('a failure is one of this round', () => {
    const fail = () => {
      throw new ExporterError('bpf(): EPERM');
    };
    expect(() => processes.lookup(wanted(500), AMPLE, fail)).toThrow('bpf(): EPERM');
    told = [{ inode: 500, pid: 20, descriptor: 1 }];
    processes.lookup(wanted(500), AMPLE, tell);
    expect(pidOf(500)).toBe(20);
  });

  it('without a budget nobody is asked', () => {
    processes.lookup(wanted(500), 0, tell);
    expect(asked).toEqual([]);
  });
});
