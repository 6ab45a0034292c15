import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ifReadable } from '../../src/base/ifReadable.ts';
import { loadLibc } from '../../src/kernel/libc.ts';
import { openRefusals, type Refusals } from '../../src/refusals/openRefusals.ts';

const REGIMES = [
  { protocol: 'tcp', scope: 'connect' },
  { protocol: 'tcp', scope: 'bind' },
  { protocol: 'udp', scope: 'connect' },
  { protocol: 'udp', scope: 'bind' },
];
const TCP_CONNECT = REGIMES[0];

const opened: Refusals[] = [];
afterEach(() => {
  for (const refusals of opened.splice(0)) refusals.close();
});

function open(): Refusals {
  const refusals = openRefusals();
  opened.push(refusals);
  return refusals;
}

const isPrivileged = process.geteuid?.() === 0 || process.env['CI'] === 'true';
const skipped = isPrivileged ? '' : ' (skipped: not root)';

describe.skipIf(!isPrivileged)(`The counting of refusals${skipped}`, () => {
  it('tells of all four regimes whether they are counted, and why not', () => {
    const { regimes } = open();
    expect(regimes.map(({ protocol, scope }) => ({ protocol, scope }))).toEqual(REGIMES);
    expect(regimes[0]).toEqual({ ...TCP_CONNECT, isCounted: true });
    for (const { isCounted, reason } of regimes.slice(1))
      expect(reason).toEqual(isCounted ? undefined : expect.stringMatching(/^\w.{3,}/));
  });

  it('goes on without the regimes that the kernel refuses', () => {
    const folder = mkdtempSync(join(tmpdir(), 'port-exporter-sysfs-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const before = descriptors();
    const refusals = openRefusals(loadLibc(), folder);
    const reason = `the kernel has no BTF (${folder}/kernel/btf/vmlinux)`;
    expect(refusals.regimes).toEqual(REGIMES.map((regime) => ({ ...regime, isCounted: false, reason })));
    expect(refusals.drain()).toBeUndefined();
    refusals.close();
    expect(descriptors()).toEqual(before);
  });

  it('can be stopped by nobody else', () => {
    open();
    const [link] = links();
    const { status, stderr } = spawnSync('bpftool', ['link', 'detach', 'id', String(link?.id)], {
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain('Operation not supported');
  });

  it('that lost its link all the same says so once, and goes on', () => {
    const refusals = open();
    refusals.drain();
    const [link] = links();
    loadLibc().close(link?.fd ?? -1);
    expect(refusals.drain()?.interrupted).toContainEqual(TCP_CONNECT);
    expect(refusals.regimes[0]).toEqual({ ...TCP_CONNECT, isCounted: true });
    expect(links().length).toBeGreaterThan(0);
    expect(refusals.drain()?.interrupted ?? []).toEqual([]);
  });

  it('whose maps are taken away says so once, and goes on', () => {
    const refusals = open();
    for (const fd of descriptorsWith(/^map_type:\t2$/m)) loadLibc().close(fd);
    expect(refusals.drain()?.interrupted).toContainEqual(TCP_CONNECT);
    expect(refusals.drain()?.interrupted ?? []).toEqual([]);
    expect(refusals.regimes[0]?.isCounted).toBe(true);
  });

  it('that cannot go on says why, and is tried again later', () => {
    const folder = mkdtempSync(join(tmpdir(), 'port-exporter-sysfs-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const btf = join(folder, 'kernel/btf/vmlinux');
    mkdirSync(dirname(btf), { recursive: true });
    writeFileSync(btf, '');
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const refusals = openRefusals(loadLibc(), folder);
    opened.push(refusals);
    rmSync(btf);
    loadLibc().close(links()[0]?.fd ?? -1);
    expect(refusals.drain()?.interrupted).toContainEqual(TCP_CONNECT);
    expect(refusals.regimes[0]).toEqual({
      ...TCP_CONNECT,
      isCounted: false,
      reason: `the kernel has no BTF (${btf})`,
    });
    writeFileSync(btf, '');
    vi.advanceTimersByTime(9_000);
    expect(refusals.drain()?.interrupted ?? []).toEqual([]);
    expect(refusals.regimes[0]?.isCounted).toBe(false);
    vi.advanceTimersByTime(1_001);
    expect(refusals.drain()?.interrupted).toContainEqual(TCP_CONNECT);
    expect(refusals.regimes[0]?.isCounted).toBe(true);
  });

  it('leaves nothing behind, closed or killed', async () => {
    const before = descriptors();
    const refusals = openRefusals();
    expect(links().length).toBeGreaterThan(0);
    refusals.drain();
    refusals.close();
    expect(descriptors()).toEqual(before);
    const child = await counting();
    const held = links(child.pid).map(({ id }) => id);
    expect(held.length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const left = () =>
      (
        JSON.parse(execFileSync('bpftool', ['-j', 'link', 'show'], { encoding: 'utf8' })) as { id: number }[]
      ).filter(({ id }) => held.includes(id));
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 20_000, interval: 100 });
  });
});

/** A process that counts and waits. */
async function counting(): Promise<ChildProcess> {
  const source = JSON.stringify(new URL('../../src/refusals/openRefusals.ts', import.meta.url));
  const program = `
    import { openRefusals } from ${source};
    openRefusals();
    process.stdout.write('counting');
    setInterval(() => {}, 1000);`;
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** The descriptors of links that a process has, and what they are called in the kernel. */
function links(pid: number | 'self' = 'self'): { fd: number; id: number }[] {
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory).flatMap((fd) => {
    const text = ifReadable(() => readFileSync(`${directory}/${fd}`, 'latin1')) ?? '';
    const [, id] = /^link_id:\t(\d+)$/m.exec(text) ?? [];
    return id === undefined ? [] : [{ fd: Number(fd), id: Number(id) }];
  });
}

/** Those of this process that proc_pid_fdinfo(5) says such things of. */
function descriptorsWith(pattern: RegExp): number[] {
  const text = (fd: string) => ifReadable(() => readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? '';
  return readdirSync('/proc/self/fdinfo')
    .filter((fd) => pattern.test(text(fd)))
    .map(Number);
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
