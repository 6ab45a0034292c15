import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { findCgroupMount, parseCgroupMounts, rankCgroupMounts } from '../../src/owners/cgroupMount.ts';

const FIXTURES = new URL('../fixtures/owners', import.meta.url).pathname;

describe('the mounts of', () => {
  it.each([
    ['a host of today', 'unified', '/sys', '/sys/fs/cgroup'],
    ['a hybrid host', 'hybrid', '/sys', '/sys/fs/cgroup/unified'],
    ['a host without cgroup v2', 'legacy', '/sys', undefined],
    ['a container', 'container', '/sys', '/sys/fs/cgroup'],
    ['a container that was given the host\u2019s', 'container', '/host/sys', '/host/sys/fs/cgroup'],
    ['a host, read for a root that has none', 'unified', '/elsewhere', '/sys/fs/cgroup'],
    [
      'a container, read for a root that has none: the whole host\u2019s',
      'container',
      '/elsewhere',
      '/host/sys/fs/cgroup',
    ],
  ])('%s', (_, name, sysfs, expected) => {
    const mounts = parseCgroupMounts(readFileSync(join(FIXTURES, `mountinfo-${name}`)));
    expect(rankCgroupMounts(mounts, sysfs)[0]?.mountPoint).toBe(expected);
  });

  it('several: the whole tree before a part of it, a later mount before an earlier', () => {
    const mounts = [
      { root: '/system.slice', mountPoint: '/sys/fs/part' },
      { root: '/', mountPoint: '/sys/fs/first' },
      { root: '/', mountPoint: '/sys/fs/second' },
      { root: '/../sibling', mountPoint: '/sys/fs/sibling' },
      { root: '/..', mountPoint: '/system/fs/cgroup' },
    ];
    expect(rankCgroupMounts(mounts, '/sys/').map(({ mountPoint }) => mountPoint)).toEqual([
      '/sys/fs/second',
      '/sys/fs/first',
      '/sys/fs/sibling',
      '/sys/fs/part',
      '/system/fs/cgroup',
    ]);
  });
});

describe('a line of mountinfo', () => {
  const line = (text: string) => parseCgroupMounts(Buffer.from(text));

  it('may have any number of optional fields, and octal escapes', () => {
    expect(
      line('1 2 0:3 / /a\\040b\\134c\\011\\012 rw shared:1 master:2 propagate_from:3 - cgroup2 none rw'),
    ).toEqual([{ root: '/', mountPoint: '/a b\\c\t\n' }]);
    expect(line('1 2 0:3 / /a rw - cgroup2 none rw')).toHaveLength(1);
  });

  it.each([
    '',
    ' - ',
    '1 2 0:3 / /a rw',
    '1 2 0:3 / /a rw - cgroup none rw',
    '1 2 0:3 - cgroup2 none rw',
    'a - cgroup2',
  ])('that is not one of a cgroup2 is skipped: %j', (text) => {
    expect(line(text)).toEqual([]);
  });

  it('may be anything', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), (bytes, text) => {
        const mounts = parseCgroupMounts(
          Buffer.concat([bytes, Buffer.from(` ${text} / /${text} rw - cgroup2 `)]),
        );
        for (const { root, mountPoint } of mounts) expect(root[0] + (mountPoint[0] ?? '')).toBe('//');
        rankCgroupMounts(mounts, '/sys');
      }),
    );
  });
});

describe('under a given root', () => {
  let root: string;
  const write = (name: string, mountPoint: string) => {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, 'mountinfo'), `34 23 0:29 / ${mountPoint} rw - cgroup2 cgroup2 rw\n`);
  };
  const make = (name: string) => {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, 'cgroup.controllers'), '');
    return join(root, name);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'port-exporter-mounts-'));
    return () => rmSync(root, { recursive: true });
  });

  it('is found by the mounts of the calling thread', () => {
    write('self', '/nowhere');
    write('thread-self', make('cgroup'));
    expect(findCgroupMount(root, root)).toEqual({ path: join(root, 'cgroup') });
  });

  it('is found by those of the process on a kernel that has no thread-self', () => {
    write('self', make('cgroup'));
    expect(findCgroupMount(root, root)).toEqual({ path: join(root, 'cgroup') });
  });

  it('is not one that another file system hides', () => {
    make('cgroup');
    write('self', join(root, 'hidden'));
    mkdirSync(join(root, 'hidden'));
    expect(findCgroupMount(root, root).path).toBeUndefined();
  });

  it("is PID 1's, through its root, where the calling thread has none in sight", () => {
    write('self', join(root, 'hidden'));
    write('1', '/sys/fs/cgroup');
    make('1/root/sys/fs/cgroup');
    expect(findCgroupMount(root, root)).toEqual({ path: join(root, '1/root/sys/fs/cgroup') });
  });

  it('is nowhere, for a reason', () => {
    const reason = () => findCgroupMount(root, root);
    const because = (why: string) => ({
      path: undefined,
      reason: `no cgroup v2 is mounted, and ${why}`,
    });
    expect(reason()).toEqual(because("PID 1's mounts cannot be read: no such file or directory (ENOENT)"));
    mkdirSync(join(root, 'self'));
    mkdirSync(join(root, '1'));
    cpSync(join(FIXTURES, 'mountinfo-legacy'), join(root, 'self/mountinfo'));
    cpSync(join(FIXTURES, 'mountinfo-legacy'), join(root, '1/mountinfo'));
    expect(reason()).toEqual(because('PID 1 has none'));
    write('1', '/sys/fs/cgroup');
    expect(reason()).toEqual(
      because(`${join(root, '1/root/sys/fs/cgroup')} cannot be read: no such file or directory (ENOENT)`),
    );
  });
});
