import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { ifReadable } from '../../src/base/ifReadable.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { openBpfSource } from '../../src/sockets/bpf/openBpfSource.ts';
import { newWorld } from './support/exact.ts';
import { endHolder } from './support/holder.ts';
import { BPF_READS_UDP } from './support/kernel.ts';
import { describeOverBpf } from './support/privilege.ts';

const HEIRS = 12;
const ROUNDS = 40;

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await endHolder(child);
});

/** A shell that has these descriptors of this process, from 3 on; it says when it has done `script`, and stays. */
async function startHeir(
  fds: readonly number[],
  script = ':',
  wrapper: readonly string[] = [],
): Promise<void> {
  const [program = '', ...args] = [...wrapper, 'bash', '-c', `${script}; echo ready; read`];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit', ...fds] });
  children.push(child);
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('an heir ended')));
  if (child.stdout !== null) await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => {});
}

/** Every listening socket, and unconnected one of UDP, that BPF sees, and each `<inode> <pid> <descriptor>` that it tells. */
function toldByBpf(isOver = () => false): { inodes: ReadonlySet<number>; held: string[] } {
  const source = openBpfSource({ procfs: '/proc', log: silentLogger });
  try {
    expect(source.beginRound?.({ inodes: false, cgroups: false })).toBeDefined();
    const inodes = new Set<number>();
    source.tcpListeners(({ inode }) => void inodes.add(inode));
    if (BPF_READS_UDP) source.udp(({ inode }) => void inodes.add(inode));
    const held = source.holdersOf?.(inodes, isOver) ?? [];
    return { inodes, held: held.map(({ inode, pid, descriptor }) => `${inode} ${pid} ${descriptor}`) };
  } finally {
    source.close();
  }
}

/** The same by the links of /proc. */
function toldByProc(inodes: ReadonlySet<number>): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) =>
      (ifReadable(() => readdirSync(`/proc/${pid}/fd`)) ?? []).flatMap((fd) => {
        const link = ifReadable(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '';
        const inode = Number(/^socket:\[(\d+)\]$/.exec(link)?.[1]);
        return inodes.has(inode) ? [`${inode} ${pid} ${fd}`] : [];
      }),
    );
}

/** A loop that starts processes, each with all of these descriptors, as fast as it can. */
function startForking(fds: readonly number[]): void {
  const script = 'while :; do /bin/true; done';
  children.push(spawn('bash', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit', ...fds] }));
}

describeOverBpf('Who holds a listening socket', () => {
  it('every process that has it, with each descriptor, as /proc/<pid>/fd shows', async () => {
    const world = newWorld();
    const fds = [
      ...Array.from({ length: 200 }, (_, i) => world.listen(i % 2 === 0 ? '127.0.0.1' : '::1', 10_000 + i)),
      ...Array.from({ length: 100 }, (_, i) => world.bound('127.0.0.1', 11_000 + i, { type: 'udp' })),
    ];
    const [first, second] = fds as [number, number];
    for (let n = 0; n < HEIRS; n++) await startHeir(fds.filter((_, index) => index % HEIRS >= n));
    await startHeir([first, second], 'exec 300>&3 70000>&4 4>&-');
    await startHeir([second], ':', ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']);
    world.end(first);
    const { inodes, held } = toldByBpf();
    expect(inodes.size).toBeGreaterThanOrEqual(BPF_READS_UDP ? 300 : 200);
    expect(held.length).toBeGreaterThan(5 * inodes.size);
    expect(held.toSorted()).toEqual(toldByProc(inodes).toSorted());
  });

  it('is told by several runs where there are many processes with large tables', async () => {
    const world = newWorld();
    const fd = world.listen('127.0.0.1', 10_000);
    const many = 'exec 19000>&1; for i in {1..150}; do sleep 1000 & done';
    await startHeir([fd], many, ['unshare', '--pid', '--fork', '--kill-child']);
    const { inodes, held } = toldByBpf();
    expect(held.length).toBeGreaterThan(150);
    expect(held.toSorted()).toEqual(toldByProc(inodes).toSorted());
  });

  it('is told no longer than there is time', async () => {
    const world = newWorld();
    const fd = world.listen('127.0.0.1', 10_000);
    const many = 'exec 19000>&1; for i in {1..150}; do sleep 1000 & done';
    await startHeir([fd], many, ['unshare', '--pid', '--fork', '--kill-child']);
    const told = toldByBpf(() => true).held;
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBeLessThan(toldByBpf().held.length);
  });

  it('is told of processes that stay, whatever others come and go', async () => {
    const world = newWorld();
    const fds = Array.from({ length: 100 }, (_, i) => world.listen('127.0.0.1', 10_000 + i));
    for (let n = 0; n < 5; n++) await startHeir(fds);
    const before = toldByBpf().held;
    for (let n = 0; n < 2; n++) startForking(fds);
    for (let round = 0; round < ROUNDS; round++) {
      const held = new Set(toldByBpf().held);
      expect(before.filter((one) => !held.has(one))).toEqual([]);
    }
  });
});
