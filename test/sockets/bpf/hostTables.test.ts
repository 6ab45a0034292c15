import { constants } from 'node:os';
import { beforeEach, describe, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../../src/base/errors.ts';
import { HostTables } from '../../../src/sockets/bpf/hostTables.ts';
import { RECORD_WORDS, RECORDS, TableWalker } from '../../../src/sockets/bpf/walk.ts';
import { recordingLogger } from '../../sampling/fakes.ts';
import { FakeKernel } from './fakeKernel.ts';

const HOST = 4_026_531_840;
const POD = 4_026_532_500;
const ALL = { inodes: true, cgroups: true };
const REFUSAL = new KernelError('bpf(BPF_PROG_TEST_RUN)', constants.errno.EPERM);
const MINUTE_MS = 60_000;

/** Tables over a kernel that fails while it is told to, and a clock. */
class Machine {
  readonly kernel = new FakeKernel();
  readonly logger = recordingLogger();
  nowMs = 5000;
  failsWith: Error | undefined;
  readonly tables = new HostTables(new TableWalker(this.kernel), this.logger.log, () => this.nowMs);

  constructor() {
    this.kernel.beforeRun = () => {
      if (this.failsWith !== undefined) throw this.failsWith;
    };
  }

  /** Rounds until one is tried → how long that took. Every round is a second after the one before. */
  waitsForTrial(): number {
    const before = this.nowMs;
    for (const runs = this.kernel.calls.length; this.kernel.calls.length === runs; ) {
      this.nowMs += 1000;
      this.tables.read(ALL);
    }
    return this.nowMs - before;
  }
}

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});

describe('holders of sockets', () => {
  it('are told with each descriptor; those of others, which are alike, are not', () => {
    const { kernel, tables } = machine;
    kernel.tables.holders = [
      [{ kind: 'holder', inode: 500, extra: 20, remote: [3, 0, 0, 0] }],
      [
        { kind: 'holder', inode: 500 + 65_536, extra: 30, remote: [4, 0, 0, 0] },
        { kind: 'holder', inode: 500, extra: 31, remote: [70_000, 0, 0, 0] },
      ],
    ];
    expect(tables.holdersOf(new Set([500, 7]), () => false)).toEqual([
      { inode: 500, pid: 20, descriptor: 3 },
      { inode: 500, pid: 31, descriptor: 70_000 },
    ]);
    expect(kernel.written.map(([map]) => map)).toEqual(['sought']);
  });

  it('are told run by run, until there is no more time', () => {
    const { kernel, tables } = machine;
    const holder = { kind: 'holder', inode: 500, extra: 20, remote: [3, 0, 0, 0] } as const;
    kernel.tables.holders = [Array(RECORDS).fill(holder), [holder]];
    expect(tables.holdersOf(new Set([500]), () => true)).toHaveLength(RECORDS);
    expect(tables.holdersOf(new Set([500]), () => false)).toHaveLength(RECORDS + 1);
  });

  it('are those of the moment: nothing is kept', () => {
    const { kernel, tables } = machine;
    kernel.tables.holders = [[{ kind: 'holder', inode: 500, extra: 20, remote: [3, 0, 0, 0] }]];
    expect(tables.holdersOf(new Set([500]), () => false)).toHaveLength(1);
    kernel.tables.holders = [[]];
    expect(tables.holdersOf(new Set([500]), () => false)).toEqual([]);
  });
});

describe('a round', () => {
  it('walks sockets before the connections that they become, and forgets the listeners of the last one first', () => {
    const { kernel, tables } = machine;
    let forgotten = -1;
    kernel.beforeRun = () => {
      if (forgotten < 0) forgotten = kernel.written.length;
    };
    tables.read(ALL);
    expect(forgotten).toBe(2);
    expect(kernel.calls.map(({ program }) => program)).toEqual([
      'namespaces',
      'listeners',
      'bind_buckets',
      'bind_addresses',
      'connections',
      'udp',
    ]);
  });

  it('tells how many connections each namespace has', () => {
    const { kernel, tables } = machine;
    const connection = { netns: POD };
    kernel.tables.connections = [[{ netns: HOST }], Array<typeof connection>(RECORDS).fill(connection)];
    kernel.tables.listeners = [[{ netns: 77 }]];
    const round = tables.read(ALL);
    expect([...(round?.inodes ?? [])].sort()).toEqual([HOST, POD]);
    expect([HOST, POD, 77].map((inode) => round?.connectionsIn(inode))).toEqual([1, RECORDS, 0]);
  });

  it('keeps the records of each table and namespace until the next', () => {
    const { kernel, tables } = machine;
    const serialsOf = (table: 'listeners' | 'connections', inode: number) => {
      const serials: number[] = [];
      tables.visit(table, inode, (words, at) => serials.push(words[at + RECORD_WORDS - 1] as number));
      return serials;
    };
    kernel.tables.listeners = [[{ netns: HOST, extra: 80 }]];
    kernel.tables.connections = [
      [
        { netns: POD, extra: 5 },
        { netns: HOST, extra: 6 },
      ],
      [{ netns: HOST, extra: 7 }],
    ];
    tables.read(ALL);
    expect([serialsOf('listeners', HOST), serialsOf('connections', HOST)]).toEqual([[80], [6, 7]]);
    expect([serialsOf('listeners', POD), serialsOf('connections', POD)]).toEqual([[], [5]]);
    kernel.tables.connections = [[{ netns: HOST, extra: 8 }]];
    tables.read(ALL);
    expect([serialsOf('connections', HOST), serialsOf('connections', POD)]).toEqual([[8], []]);
  });
});

describe('a round that fails', () => {
  it('is not read, and says why and until when', () => {
    machine.tables.read(ALL);
    expect(machine.tables.isRead).toBe(true);
    machine.failsWith = REFUSAL;
    expect(machine.tables.read(ALL)).toBeUndefined();
    expect(machine.tables.isRead).toBe(false);
    expect(machine.logger.lines).toEqual([
      [
        'warn',
        'BPF failed, reading socket tables over netlink',
        { error: REFUSAL.message, retry_seconds: 10 },
      ],
    ]);
  });

  it('is not read either where it failed in its last table', () => {
    const { kernel, tables } = machine;
    kernel.beforeRun = (program) => {
      if (program === 'connections') throw new ExporterError('torn');
    };
    expect(tables.read(ALL)).toBeUndefined();
    expect(tables.isRead).toBe(false);
  });

  it('is told once, and not tried again before it is time', () => {
    machine.failsWith = REFUSAL;
    machine.tables.read(ALL);
    machine.failsWith = undefined;
    machine.nowMs += 9999;
    expect(machine.tables.read(ALL)).toBeUndefined();
    expect(machine.tables.isRead).toBe(false);
    expect(machine.kernel.calls).toHaveLength(1);
    expect(machine.logger.lines).toHaveLength(1);
    machine.nowMs += 1;
    expect(machine.tables.read(ALL)).toBeDefined();
    expect(machine.tables.isRead).toBe(true);
  });

  it('is tried again after 10 seconds, then after twice as long each time, and at last every 10 minutes', () => {
    machine.failsWith = REFUSAL;
    machine.tables.read(ALL);
    const waits = Array.from({ length: 8 }, () => machine.waitsForTrial() / 1000);
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 600, 600]);
    const told = machine.logger.lines.map(([, , fields]) => fields);
    expect(told).toEqual(
      [...waits, 600].map((seconds) => ({ error: REFUSAL.message, retry_seconds: seconds })),
    );
  });

  it('once over is told once, and the next failure waits as briefly as the first', () => {
    machine.failsWith = REFUSAL;
    machine.tables.read(ALL);
    machine.waitsForTrial();
    machine.failsWith = undefined;
    machine.nowMs += MINUTE_MS;
    machine.tables.read(ALL);
    machine.tables.read(ALL);
    expect(machine.logger.lines.slice(2)).toEqual([
      ['info', 'reading socket tables by BPF again', undefined],
    ]);
    machine.failsWith = REFUSAL;
    machine.tables.read(ALL);
    expect(machine.logger.lines.at(-1)?.[2]).toMatchObject({ retry_seconds: 10 });
    expect(machine.waitsForTrial()).toBe(10_000);
  });

  it('for a defect is no failure of the kernel: that is passed on, and the next round is tried', () => {
    machine.failsWith = new TypeError('undefined is not a function');
    expect(() => machine.tables.read(ALL)).toThrow(machine.failsWith);
    expect(machine.tables.isRead).toBe(false);
    expect(machine.logger.lines).toEqual([]);
    machine.failsWith = undefined;
    expect(machine.tables.read(ALL)).toBeDefined();
    expect(machine.logger.lines).toEqual([]);
  });
});

it('tables are closed with their programs, and identify a namespace by them', () => {
  machine.kernel.namespace = { netns: POD };
  expect(machine.tables.identify()).toMatchObject({ inode: POD });
  machine.tables.close();
  expect(machine.kernel.isClosed).toBe(true);
});
