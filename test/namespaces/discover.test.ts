import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { whyDenied } from '../../src/kernel/capabilities.ts';
import { discoverNamespaces, parseNamespaceLink } from '../../src/namespaces/discover.ts';
import { asNobody } from '../owners/asNobody.ts';

let root = '';
let procfs = '';
let netns = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'port-exporter-namespaces-'));
  procfs = join(root, 'proc');
  netns = join(root, 'netns');
  mkdirSync(procfs);
});
afterEach(() => rmSync(root, { recursive: true }));

/** A process whose namespace link is such a text, as in /proc: it leads nowhere. */
function addProcess(pid: number | string, link?: string): void {
  mkdirSync(join(procfs, String(pid), 'ns'), { recursive: true });
  if (link !== undefined) symlinkSync(link, join(procfs, String(pid), 'ns/net'));
}

describe('discoverNamespaces()', () => {
  it('finds each namespace once, by its lowest process', () => {
    for (const pid of [1, 100, 9, 20]) addProcess(pid, 'net:[4026531840]');
    for (const pid of [1000, 30]) addProcess(pid, 'net:[4026532000]');
    expect(discoverNamespaces(procfs, netns)).toEqual({
      found: [
        { inode: 4026531840, path: join(procfs, '1/ns/net'), pid: 1, name: undefined },
        { inode: 4026532000, path: join(procfs, '30/ns/net'), pid: 30, name: undefined },
      ],
      obstacles: [],
      unread: new Set(),
    });
  });

  it('passes over processes that ended, and whatever else there is', () => {
    addProcess(1, 'net:[1]');
    addProcess(2);
    addProcess(3, 'mnt:[7]');
    addProcess('self', 'net:[8]');
    mkdirSync(join(procfs, '4'));
    writeFileSync(join(procfs, '5'), '');
    expect(discoverNamespaces(procfs, netns)).toMatchObject({ found: [{ inode: 1 }], obstacles: [] });
  });

  it('says in one line what hides processes', () => {
    addProcess(7, 'net:[1]');
    expect(discoverNamespaces(procfs, netns)).toMatchObject({
      found: [{ inode: 1 }],
      obstacles: [`${procfs} hides processes (hidepid=): ${whyDenied(['CAP_SYS_PTRACE'])}`],
    });
  });

  it('says in one line, of however many processes, that links may not be read', () => {
    addProcess(1, 'net:[1]');
    for (const pid of [3, 2]) {
      addProcess(pid);
      chmodSync(join(procfs, String(pid), 'ns'), 0);
    }
    chmodSync(root, 0o755);
    expect(asNobody(() => discoverNamespaces(procfs, netns)).obstacles).toEqual([
      `readlink() of ${procfs}/<pid>/ns/net: ${asNobody(() => whyDenied(['CAP_SYS_PTRACE']))}: pid 2`,
    ]);
    for (const pid of [2, 3]) chmodSync(join(procfs, String(pid), 'ns'), 0o755);
  });

  it('passes over links and names that cannot be read for any other reason', () => {
    addProcess(1, 'net:[1]');
    addProcess(2);
    // EINVAL: there is something, and it is no link.
    writeFileSync(join(procfs, '2/ns/net'), '');
    mkdirSync(netns);
    // ELOOP.
    symlinkSync('loop', join(netns, 'loop'));
    execFileSync('mkfifo', [join(netns, 'pipe')]);
    expect(discoverNamespaces(procfs, netns)).toMatchObject({ found: [{ inode: 1 }], obstacles: [] });
  });

  it('takes only namespaces for names: not plain files, links to nowhere, directories', () => {
    addProcess(1, 'net:[1]');
    mkdirSync(join(netns, 'directory'), { recursive: true });
    writeFileSync(join(netns, 'file'), '');
    symlinkSync('net:[4026532000]', join(netns, 'link'));
    expect(discoverNamespaces(procfs, netns)).toMatchObject({ found: [{ inode: 1 }], obstacles: [] });
  });

  it('prefers a name, which a process may end before', () => {
    const self = `/proc/${process.pid}/ns/net`;
    mkdirSync(netns);
    symlinkSync(self, join(netns, 'blue'));
    const [own] = discoverNamespaces('/proc', netns).found.filter(({ name }) => name !== undefined);
    expect(own).toMatchObject({ name: 'blue', path: join(netns, 'blue'), pid: expect.any(Number) });
    addProcess(1, 'net:[1]');
    expect(discoverNamespaces(procfs, netns).found).toEqual([
      { inode: 1, path: join(procfs, '1/ns/net'), pid: 1, name: undefined },
      { inode: own?.inode, path: join(netns, 'blue'), pid: undefined, name: 'blue' },
    ]);
  });

  it('is told where the names cannot be read', () => {
    addProcess(1, 'net:[1]');
    symlinkSync(netns, netns);
    expect(discoverNamespaces(procfs, netns).obstacles).toEqual([
      `reading the directory ${netns}: too many symbolic links encountered (ELOOP)`,
    ]);
  });

  it('fails without a proc filesystem', () => {
    const nowhere = join(root, 'nowhere');
    expect(() => discoverNamespaces(nowhere, netns)).toThrow(
      new ExporterError(`reading the directory ${nowhere}: no such file or directory (ENOENT)`),
    );
  });
});

describe('parseNamespaceLink()', () => {
  it('reads the inode, and nothing of another kind', () => {
    expect(parseNamespaceLink('net:[4026531840]')).toBe(4026531840);
    for (const other of [
      '',
      'net:[]',
      'mnt:[1]',
      'net:[1] ',
      ' net:[1]',
      'net:[-1]',
      'net:[1234567890123456]',
    ]) {
      expect(parseNamespaceLink(other), other).toBeUndefined();
    }
  });

  it('of any text makes a safe whole number or nothing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.bigInt({ min: 0n }).map((n) => `net:[${n}]`),
        ),
        (text) => {
          const inode = parseNamespaceLink(text);
          expect(inode === undefined || `net:[${inode}]` === text.replace(/\[0+(?=\d)/, '[')).toBe(true);
        },
      ),
    );
  });
});
