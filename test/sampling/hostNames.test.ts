import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { HostNames } from '../../src/sampling/hostNames.ts';

let procfs = '';
let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  procfs = mkdtempSync(join(tmpdir(), 'port-exporter-names-'));
  addProcess(1, 1);
  symlinkSync('1', join(procfs, 'self'));
  return () => rmSync(procfs, { recursive: true });
});

function addProcess(pid: number, inode: number): void {
  mkdirSync(join(procfs, `${pid}/ns`), { recursive: true });
  symlinkSync(`net:[${inode}]`, join(procfs, `${pid}/ns/net`));
  writeFileSync(join(procfs, `${pid}/stat`), `${pid} (app) S ${'0 '.repeat(18)}${pid} 0\n`);
  writeFileSync(join(procfs, `${pid}/cgroup`), `0::${containerOf(pid)}\n`);
}

const idOf = (pid: number) => String(pid).padEnd(64, 'a');
const containerOf = (pid: number) => (pid === 1 ? '/' : `/system.slice/docker-${idOf(pid)}.scope`);
const nameOf = (pid: number) => idOf(pid).slice(0, 12);

const opened = (only?: number) => new HostNames({ procfs, sysfs: join(procfs, 'sys') }, only, () => nowMs);

it('names the own namespace, those that were there, and one that came later', () => {
  addProcess(20, 2);
  const names = opened();
  expect([names.own, names.netnsOf(1), names.netnsOf(2)]).toEqual(['host', 'host', nameOf(20)]);
  addProcess(30, 3);
  nowMs += 100;
  expect(names.netnsOf(3)).toBe(nameOf(30));
  names.close();
});

it('looks for one that nobody knows no more often than every 100 ms', () => {
  const names = opened();
  addProcess(20, 2);
  nowMs += 99;
  expect(names.netnsOf(2)).toBe('net:[2]');
  nowMs += 1;
  expect(names.netnsOf(2)).toBe(nameOf(20));
});

it('looks again at one that it has known for long: its number may be that of another', () => {
  addProcess(20, 2);
  const names = opened();
  rmSync(join(procfs, '20'), { recursive: true });
  addProcess(30, 2);
  nowMs += 10_000;
  expect(names.netnsOf(2)).toBe(nameOf(20));
  nowMs += 1;
  expect(names.netnsOf(2)).toBe(nameOf(30));
});

it('names only the one that is asked for', () => {
  addProcess(20, 2);
  const names = opened(2);
  expect([names.netnsOf(1), names.netnsOf(2), names.netnsOf(3)]).toEqual([undefined, nameOf(20), undefined]);
  expect(opened(1).netnsOf(1)).toBe('host');
});

it('knows no owner where no cgroups are in sight', () => {
  expect(opened().ownerOf(7)).toBeUndefined();
});
