import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { whyDenied } from '../../src/kernel/capabilities.ts';
import { namespaceByName } from '../../src/namespaces/byName.ts';
import { asNobody } from '../owners/asNobody.ts';

let procfs = '';
beforeEach(() => {
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-names-'));
  inNamespace('thread-self', 100);
  inNamespace('1', 100);
  return () => rmSync(procfs, { recursive: true });
});

function inNamespace(process: string, inode: number): void {
  mkdirSync(join(procfs, process, 'ns'), { recursive: true });
  symlinkSync(`net:[${inode}]`, join(procfs, process, 'ns/net'));
}

const pathOf = (pid: number) => join(procfs, `${pid}/ns/net`);

it('a namespace is that of its name, of its inode, or of a process', () => {
  inNamespace('7', 200);
  inNamespace('8', 200);
  inNamespace('200', 300);
  expect(namespaceByName(procfs, 'net:[200]')).toMatchObject({ inode: 200, path: pathOf(7) });
  expect(namespaceByName(procfs, '8')).toMatchObject({ inode: 200, path: pathOf(8) });
  expect(namespaceByName(procfs, '200')).toMatchObject({ inode: 300, path: pathOf(200) });
  // What a second namespace of a container is called, whichever is seen first.
  expect(namespaceByName(procfs, 'f3a1/net:[300]')).toMatchObject({ inode: 300 });
});

it('the own one is none to enter', () => {
  expect(namespaceByName(procfs, 'host')).toBeUndefined();
  expect(namespaceByName(procfs, 'net:[100]')).toBeUndefined();
  expect(namespaceByName(procfs, '1')).toBeUndefined();
});

it('there may be none of that name', () => {
  for (let pid = 10; pid < 25; pid++) inNamespace(String(pid), 1000 + pid);
  const names = Array.from({ length: 9 }, (_, index) => `net:[${1010 + index}]`).join(', ');
  for (const wanted of ['web', '4194305', '0', '-1', 'net:[7]', '../1', '']) {
    expect(() => namespaceByName(procfs, wanted)).toThrow(
      `no network namespace or process ${JSON.stringify(wanted)}; found host, ${names}, 6 more`,
    );
  }
});

it('that of a process whose link is denied takes a privilege, and any other failure is none of that', () => {
  inNamespace('7', 200);
  chmodSync(join(procfs, '7/ns'), 0);
  chmodSync(procfs, 0o755);
  const denied = asNobody(() => whyDenied(['CAP_SYS_PTRACE']));
  expect(() => asNobody(() => namespaceByName(procfs, '7'))).toThrow(
    new ExporterError(`readlink() of ${pathOf(7)}: ${denied}`),
  );
  chmodSync(join(procfs, '7/ns'), 0o755);
  mkdirSync(join(procfs, '8/ns'), { recursive: true });
  writeFileSync(pathOf(8), '');
  expect(() => namespaceByName(procfs, '8')).toThrow(
    new ExporterError(`readlink() of ${pathOf(8)}: invalid argument (EINVAL)`),
  );
});
