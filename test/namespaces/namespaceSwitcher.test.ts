import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExporterError, errorLine, KernelError } from '../../src/base/errors.ts';
import { CLONE_NEWNET, type Libc } from '../../src/kernel/libc.ts';

import {
  NamespaceGone,
  NamespaceSwitcher,
  OtherKind,
  whyNoneIsEntered,
  whyNotEntered,
} from '../../src/namespaces/namespaceSwitcher.ts';
import { asNobody } from '../owners/asNobody.ts';

const EPERM = 1;
const EINVAL = 22;

let procfs = '';
let home = { path: '', inode: 0 };
let other = { path: '', inode: 0 };
let openBefore = 0;
beforeEach(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-switcher-'));
  mkdirSync(join(procfs, 'thread-self/ns'), { recursive: true });
  home = newFile('thread-self/ns/net');
  other = newFile('other');
  openBefore = descriptors();
});
afterEach(() => rmSync(procfs, { recursive: true }));

function newFile(name: string): { path: string; inode: number } {
  const path = join(procfs, name);
  writeFileSync(path, '');
  return { path, inode: statSync(path).ino };
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** A thread that enters whatever it is told to: where it is shows by the inode of the file. */
class FakeThread {
  where = 0;
  /** Calls that are refused from now on, by how many calls succeed before. */
  refusedAfter = Number.POSITIVE_INFINITY;
  refusal = EPERM;
  readonly libc: Libc = {
    ...({} as Libc),
    setns: (fd, type) => {
      expect(type).toBe(CLONE_NEWNET);
      if (this.refusedAfter-- <= 0) throw new KernelError('setns()', this.refusal);
      this.where = statSync(`/proc/self/fd/${fd}`).ino;
    },
  };
}

function newSwitcher(): { thread: FakeThread; switcher: NamespaceSwitcher } {
  const thread = new FakeThread();
  return { thread, switcher: new NamespaceSwitcher(thread.libc, procfs) };
}

describe('NamespaceSwitcher', () => {
  it('acts inside, comes home, and leaves nothing open', () => {
    const { thread, switcher } = newSwitcher();
    expect(thread.where).toBe(home.inode);
    for (let round = 0; round < 3; round++) {
      expect(switcher.run(other, () => thread.where)).toBe(other.inode);
      expect(thread.where).toBe(home.inode);
    }
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it('comes home where the act throws, whose error it is', () => {
    const { thread, switcher } = newSwitcher();
    const thrown = new TypeError('a defect');
    expect(() =>
      switcher.run(other, () => {
        throw thrown;
      }),
    ).toThrow(thrown);
    expect(thread.where).toBe(home.inode);
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it('does not act where it may not enter', () => {
    const { thread, switcher } = newSwitcher();
    thread.refusedAfter = 0;
    const entered = () =>
      switcher.run(other, () => {
        throw new Error('acted');
      });
    expect(entered).toThrow(ExporterError);
    expect(entered).not.toThrow(NamespaceGone);
    try {
      entered();
    } catch (error) {
      expect(errorLine(error)).toBe(`entering ${other.path}: setns(): operation not permitted (EPERM)`);
    }
    expect(thread.where).toBe(home.inode);
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it('tells what is a namespace of another kind', () => {
    const { thread, switcher } = newSwitcher();
    thread.refusedAfter = 0;
    thread.refusal = EINVAL;
    expect(() => switcher.run(other, () => expect.unreachable())).toThrow(OtherKind);
    expect(thread.where).toBe(home.inode);
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it.each([
    ['after the act', () => {}],
    [
      'after the act failed in a way that is known',
      () => {
        throw new ExporterError('known');
      },
    ],
  ])('cannot go on where it may not return, %s: no error that anyone expects', (_, act) => {
    const { thread, switcher } = newSwitcher();
    thread.refusedAfter = 1;
    let thrown: unknown;
    try {
      switcher.run(other, act);
    } catch (error) {
      thrown = error;
    }
    expect(errorLine(thrown)).toMatch(/^returning to the own network namespace: setns\(\): .+ \(EPERM\)/);
    expect(thrown).not.toBeInstanceOf(ExporterError);
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it('tells a namespace that is gone from one that cannot be opened', () => {
    const { thread, switcher } = newSwitcher();
    const act = () => expect.unreachable();
    expect(() => switcher.run({ path: join(procfs, 'gone'), inode: 1 }, act)).toThrow(NamespaceGone);
    const closed = join(procfs, 'closed');
    writeFileSync(closed, '', { mode: 0 });
    expect(() => asNobody(() => switcher.run({ path: closed, inode: 1 }, act))).toThrow(
      new ExporterError(`open() of ${closed}: permission denied (EACCES)`),
    );
    expect(thread.where).toBe(home.inode);
  });

  it('takes for gone what is something else by now, and does not wait for it', () => {
    const { switcher } = newSwitcher();
    const [loop, pipe] = [join(procfs, 'loop'), join(procfs, 'pipe')];
    symlinkSync(loop, loop);
    execFileSync('mkfifo', [pipe]);
    for (const path of [loop, pipe]) {
      expect(() => switcher.run({ path, inode: 1 }, () => expect.unreachable())).toThrow(NamespaceGone);
    }
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it('does not enter another namespace that is at its place by now', () => {
    const { thread, switcher } = newSwitcher();
    expect(() =>
      switcher.run({ path: other.path, inode: other.inode + 1 }, () => expect.unreachable()),
    ).toThrow(NamespaceGone);
    expect(thread.where).toBe(home.inode);
    switcher.close();
    expect(descriptors()).toBe(openBefore);
  });

  it('does not open where entering is not permitted at all', () => {
    const thread = new FakeThread();
    thread.refusedAfter = 0;
    expect(() => new NamespaceSwitcher(thread.libc, procfs)).toThrow(ExporterError);
    expect(descriptors()).toBe(openBefore);
    rmSync(home.path);
    expect(() => new NamespaceSwitcher(thread.libc, procfs)).toThrow(ExporterError);
    expect(descriptors()).toBe(openBefore);
  });
});

describe('why a namespace is not entered', () => {
  const denied = new KernelError('setns()', EPERM);
  const inside = new ExporterError('entering /run/netns/blue', { cause: denied });
  const line = 'setns(): operation not permitted (EPERM)';
  const lacking = 'CapEff:\t0000000000000000\n';
  const tracing = 'CapEff:\t0000000000080000\n';
  const admin = 'CapEff:\t0000000000200000\n';
  const although = 'denied although CAP_SYS_ADMIN is held (a security module, or another user namespace)';

  it('is the capability that is missing, or that it does not help', () => {
    expect(whyNotEntered(denied, lacking)).toBe(`needs CAP_SYS_ADMIN: ${line}`);
    expect(whyNotEntered(denied, admin)).toBe(`${although}: ${line}`);
  });

  it('is, of all of them, what finding them takes too', () => {
    expect(whyNoneIsEntered(denied, lacking)).toBe(
      `needs CAP_SYS_ADMIN, and CAP_SYS_PTRACE to find them: ${line}`,
    );
    expect(whyNoneIsEntered(denied, tracing)).toBe(`needs CAP_SYS_ADMIN: ${line}`);
    expect(whyNoneIsEntered(denied, admin)).toBe(`${although}: ${line}`);
  });

  it('is no privilege where the kernel did not ask for one', () => {
    for (const why of [whyNotEntered, whyNoneIsEntered]) {
      expect(why(new NamespaceGone('open() of /proc/7/ns/net: ENOENT'), lacking)).toBe(
        'open() of /proc/7/ns/net: ENOENT',
      );
      expect(why(inside, lacking)).toBe(`entering /run/netns/blue: ${line}`);
    }
  });
});
