import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { candidatePids, parsePids } from '../../src/owners/candidates.ts';
import { FakeHost } from './fakeHost.ts';

describe('the processes that may hold a socket of', () => {
  let host: FakeHost;
  beforeEach(() => {
    host = new FakeHost();
    host.cgroup('/init.scope', [1]);
    host.cgroup('/system.slice/ssh.socket', []);
    host.cgroup('/system.slice/ssh.service', [70, 50]);
    host.cgroup('/user.slice/user@7.service/init.scope', [40]);
    host.cgroup('/user.slice/user@7.service/app.slice/a.socket', []);
    for (const pid of [1, 40, 50, 70]) host.process(pid, 'any', []);
    return () => host.remove();
  });
  const pids = (path: string | undefined, mount: string | undefined = host.cgroupMount) =>
    candidatePids(host.procfs, mount, path);

  it('a cgroup are its own, the lowest pid first', () => {
    expect(pids('/system.slice/ssh.service')).toEqual([50, 70]);
  });

  it('an activated unit are those of its service, then the systemd that opened it', () => {
    expect(pids('/system.slice/ssh.socket')).toEqual([50, 70, 1]);
    expect(pids('/user.slice/user@7.service/app.slice/a.socket')).toEqual([40]);
  });

  it('a removed cgroup are none', () => {
    expect(pids('/system.slice/gone.service')).toEqual([]);
  });

  it('an unknown cgroup, or without any hierarchy, are all', () => {
    expect(pids(undefined)).toEqual([1, 40, 50, 70]);
    expect(candidatePids(host.procfs, undefined, '/system.slice/ssh.service')).toEqual([1, 40, 50, 70]);
  });
});

describe('cgroup.procs', () => {
  it('is neither sorted nor unique, and shows 0 for what the reader cannot see', () => {
    expect(parsePids(Buffer.from('120\n0\n7\n120\n0\n'))).toEqual([7, 120]);
  });

  it('may be anything', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        for (const pid of parsePids(bytes)) expect(pid).toBeGreaterThan(0);
      }),
    );
  });
});
