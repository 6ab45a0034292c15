import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { whyDescriptorsDenied } from '../../src/owners/descriptorViews.ts';
import { findSocketProcesses } from '../../src/owners/socketProcesses.ts';
import { UserNames } from '../../src/owners/users.ts';
import { asNobody } from './asNobody.ts';
import { FakeHost, sockets } from './fakeHost.ts';

const AMPLE = 10_000;
const PATH = '/system.slice/checkout.service';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  return () => host.remove();
});

function find(
  inodes: readonly number[],
  { paths = [PATH] as (string | undefined)[], budgetMs = AMPLE } = {},
) {
  return findSocketProcesses({
    ...{ procfs: host.procfs, cgroupMount: host.cgroupMount, budgetMs },
    ...{ users: new UserNames(host.root), cgroupPaths: paths, inodes: new Set(inodes) },
  });
}

function commandLine(pid: number, bytes: string): void {
  writeFileSync(join(host.procfs, `${pid}/cmdline`), bytes);
}

describe('the processes of sockets', () => {
  it('are told with their command lines, those with most sockets first', () => {
    host.cgroup(PATH, [20, 21]);
    host.process(20, 'checkout', ['/dev/null', ...sockets(500), 'pipe:[501]']);
    host.process(21, 'worker', sockets(502, 503, 999));
    commandLine(20, '/usr/bin/node\0/srv/checkout/server.js\0');
    commandLine(21, 'worker\0');
    expect(find([500, 502, 503])).toEqual({
      processes: [
        { pid: 21, process: 'worker', user: 'me', commandLine: 'worker', sockets: 2 },
        {
          ...{ pid: 20, process: 'checkout', user: 'me', sockets: 1 },
          commandLine: '/usr/bin/node /srv/checkout/server.js',
        },
      ],
      unknown: 0,
      refusal: undefined,
    });
  });

  it('are those of the cgroup first, and then all others', () => {
    host.cgroup(PATH, [30]);
    host.process(20, 'other', sockets(500, 501));
    host.process(30, 'checkout', sockets(500));
    expect(find([500, 501]).processes).toEqual([
      expect.objectContaining({ pid: 20, sockets: 1 }),
      expect.objectContaining({ pid: 30, sockets: 1 }),
    ]);
    expect(find([500, 501], { paths: [undefined] }).processes).toEqual([
      expect.objectContaining({ pid: 20, sockets: 2 }),
    ]);
  });

  it('are looked for no longer than the budget, and no longer than there are sockets', () => {
    host.process(20, 'one', sockets(500));
    host.process(21, 'two', sockets(501));
    expect(find([500, 501], { budgetMs: 0 })).toEqual({ processes: [], unknown: 2, refusal: undefined });
    expect(find([])).toEqual({ processes: [], unknown: 0, refusal: undefined });
  });

  it('may be gone, or show nothing of themselves', () => {
    host.cgroup(PATH, [20, 77]);
    host.process(20, 'checkout', sockets(500));
    rmSync(join(host.procfs, '20/stat'));
    expect(find([500, 501])).toEqual({
      processes: [{ pid: 20, process: '', user: 'me', commandLine: '', sockets: 1 }],
      unknown: 1,
      refusal: undefined,
    });
  });

  it('may not be looked into, and why is said only where that left a socket without one', () => {
    host.process(20, 'mine', sockets(500));
    host.process(21, 'hidden', sockets(501));
    mkdirSync(join(host.procfs, '21/fdinfo'));
    for (const directory of ['fd', 'fdinfo']) chmodSync(join(host.procfs, '21', directory), 0);
    chmodSync(host.root, 0o755);
    expect(asNobody(() => find([500, 501]))).toMatchObject({
      ...{ processes: [{ pid: 20 }], unknown: 1 },
      refusal: asNobody(() => whyDescriptorsDenied()),
    });
    expect(asNobody(() => find([500])).refusal).toBeUndefined();
    for (const directory of ['fd', 'fdinfo']) chmodSync(join(host.procfs, '21', directory), 0o755);
  });

  it('cannot speak to a terminal by their command lines, nor fill it', () => {
    host.process(20, 'checkout', sockets(500));
    commandLine(20, `\u001b]0;title\u0007\n\u202e\0${'x'.repeat(100_000)}`);
    const [{ commandLine: shown = '' } = {}] = find([500]).processes;
    expect(shown).toMatch(/^\\u001b\]0;title\\u0007\\u000a\\u202e x+…$/);
    expect(shown.length).toBeLessThanOrEqual(200);
  });

  it('hold what a descriptor says, however strange the others are', () => {
    mkdirSync(join(host.procfs, '20/fd'), { recursive: true });
    symlinkSync('socket:[]', join(host.procfs, '20/fd/0'));
    symlinkSync('socket:[x]', join(host.procfs, '20/fd/1'));
    symlinkSync('socket:[500]', join(host.procfs, '20/fd/2'));
    expect(find([500]).processes).toEqual([expect.objectContaining({ pid: 20, sockets: 1 })]);
  });
});
