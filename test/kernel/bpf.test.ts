import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ifReadable } from '../../src/base/ifReadable.ts';
import { type LoadedBpf, loadBpf } from '../../src/kernel/bpf.ts';
import { type BpfBlob, readBpfBlob } from '../../src/kernel/bpfBlob.ts';
import { loadLibc } from '../../src/kernel/libc.ts';

const BLOB_URL = new URL('../../src/kernel/bpf/tables.json', import.meta.url);
const BLOB = readBpfBlob(BLOB_URL);
/** Words of struct walk, `src/kernel/bpf/walk.h`. */
const [WALK_WORDS, NETNS, IS_PERNET] = [14, 8, 9];
const PORTS_BYTES = 8192;
const KINDS = ['prog', 'map', 'link'] as const;
type Kind = (typeof KINDS)[number];

const opened: LoadedBpf[] = [];
afterEach(() => {
  for (const bpf of opened.splice(0)) bpf.close();
});

function load(blob: BpfBlob = BLOB): LoadedBpf {
  const bpf = loadBpf(blob, loadLibc());
  opened.push(bpf);
  return bpf;
}

const isPrivileged = process.geteuid?.() === 0 || process.env['CI'] === 'true';
const skipped = isPrivileged ? '' : ' (skipped: not root)';

describe.skipIf(!isPrivileged)(`BPF programs in the kernel${skipped}`, () => {
  it('run on the calling thread, and write what they are given', () => {
    const context = new Uint32Array(new ArrayBuffer(4 * WALK_WORDS));
    load().run('identify', new Uint8Array(context.buffer));
    expect(context[NETNS]).toBe(statSync('/proc/thread-self/ns/net').ino);
    expect(context[IS_PERNET]).toBe(0);
  });

  it('have maps that are read as they were written', () => {
    const bpf = load();
    const read = new Uint8Array(new ArrayBuffer(PORTS_BYTES)).fill(1);
    bpf.read('listening', read);
    expect(read.every((byte) => byte === 0)).toBe(true);
    const written = new Uint8Array(new ArrayBuffer(PORTS_BYTES)).map((_, index) => index);
    bpf.write('listening', written);
    bpf.read('listening', read);
    expect(read).toEqual(written);
  });

  it('are found by their names alone, and by none once they are closed', () => {
    const bpf = load();
    const context = new Uint8Array(new ArrayBuffer(4 * WALK_WORDS));
    const unknown = (name: string) => new Error(`no BPF program or map is called ${name}`);
    expect(() => bpf.run('records', context)).toThrow(unknown('records'));
    expect(() => bpf.read('connections', context)).toThrow(unknown('connections'));
    bpf.close();
    expect(() => bpf.run('identify', context)).toThrow(unknown('identify'));
    // A second time closes nothing: the numbers may be those of other descriptors by now.
    bpf.close();
  });

  it('are those of the blob, and without links: nothing runs them but a call', () => {
    const before = heldBy('self');
    load();
    const held = heldBy('self');
    const names = (kind: 'prog' | 'map') => {
      const added = held[kind].filter((id) => !before[kind].includes(id));
      return listed(kind).flatMap(({ id, name }) => (added.includes(id) ? [name] : []));
    };
    expect(names('prog').sort()).toEqual([...BLOB.programs].sort());
    expect(names('map').sort()).toEqual([...BLOB.maps].sort());
    expect(held.link).toEqual([]);
  });

  it('are gone once they are closed', async () => {
    const before = heldBy('self');
    const bpf = load();
    const held = heldBy('self');
    bpf.close();
    expect(heldBy('self')).toEqual(before);
    await expectGone(held);
  });

  it('leave nothing behind where the kernel refuses their loader, or one of them, with what it said last', () => {
    const before = heldBy('self');
    expect(() => load({ ...BLOB, instructions: withoutEnd(BLOB.instructions) })).toThrow(
      /^bpf\(BPF_PROG_LOAD\): .+ \(EINVAL\)/,
    );
    expect(() => load({ ...BLOB, data: withoutEnd(BLOB.data) })).toThrow(
      /^loading BPF programs \(".+"\): .+ \(EINVAL\)/,
    );
    expect(heldBy('self')).toEqual(before);
  });

  it('do not outlive their process, however it ends', async () => {
    const child = await holdingPrograms();
    const held = heldBy(child.pid ?? 'none');
    expect(held.prog).toHaveLength(BLOB.programs.length);
    expect(held.map).toHaveLength(BLOB.maps.length);
    expect(held.link).toEqual([]);
    expect(listed('prog').map(({ id }) => id)).toEqual(expect.arrayContaining([...held.prog]));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expectGone(held);
  });
});

/** A process that has loaded them and waits. */
async function holdingPrograms(): Promise<ChildProcess> {
  const source = (name: string) => JSON.stringify(new URL(`../../src/kernel/${name}.ts`, import.meta.url));
  const program = `
    import { loadBpf } from ${source('bpf')};
    import { readBpfBlob } from ${source('bpfBlob')};
    import { loadLibc } from ${source('libc')};
    loadBpf(readBpfBlob(new URL(${JSON.stringify(BLOB_URL)})), loadLibc());
    process.stdout.write('loaded');
    setInterval(() => {}, 1000);`;
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  expect(String(said)).toBe('loaded');
  return child;
}

/** Ids of what a process has descriptors of: other processes have the same programs, with other ids. */
function heldBy(pid: number | 'self' | 'none'): Record<Kind, number[]> {
  const directory = `/proc/${pid}/fdinfo`;
  const texts = readdirSync(directory).map((fd) =>
    ifReadable(() => readFileSync(`${directory}/${fd}`, 'latin1')),
  );
  const idsOf = (kind: Kind) =>
    texts.flatMap((text = '') => {
      const [, id] = new RegExp(`^${kind}_id:\\t(\\d+)$`, 'm').exec(text) ?? [];
      return id === undefined ? [] : [Number(id)];
    });
  return { prog: idsOf('prog'), map: idsOf('map'), link: idsOf('link') };
}

/** All that the kernel has, whoever holds it. */
function listed(kind: Kind): { id: number; name: string; prog_id?: number }[] {
  return JSON.parse(execFileSync('bpftool', ['-j', kind, 'show'], { encoding: 'utf8' }));
}

/** The kernel frees them a little after their last descriptor. */
async function expectGone(held: Record<Kind, number[]>): Promise<void> {
  const left = () => [
    ...KINDS.flatMap((kind) => listed(kind).filter(({ id }) => held[kind].includes(id))),
    ...listed('link').filter(({ prog_id = -1 }) => held.prog.includes(prog_id)),
  ];
  await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 20_000, interval: 100 });
}

/** With an instruction that no kernel knows in place of the first exit of a program. */
function withoutEnd(bytes: Uint8Array): Uint8Array {
  const exit = Buffer.from([0x95, 0, 0, 0, 0, 0, 0, 0]);
  const at = Buffer.from(bytes).indexOf(exit);
  return Uint8Array.from(bytes).fill(0xff, at, at + exit.length);
}
