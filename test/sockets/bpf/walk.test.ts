import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../../src/base/errors.ts';
import { RECORD_WORDS, RECORDS, type TableName, TableWalker } from '../../../src/sockets/bpf/walk.ts';
import type { KernelRecord } from './encode.ts';
import { FakeKernel, type Table } from './fakeKernel.ts';

const NOTHING_MORE = { inodes: false, cgroups: false };
const TABLES = ['listeners', 'bind_buckets', 'bind_addresses', 'connections'] as const;

describe('a walk', () => {
  it('tells every record once and in order, however many runs it takes and however the slots are filled', () => {
    const length = fc.oneof(
      fc.nat(3),
      fc.constantFrom(RECORDS - 1, RECORDS, RECORDS + 1),
      fc.nat(3 * RECORDS),
    );
    fc.assert(
      fc.property(
        fc.array(length, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...TABLES),
        (lengths, table) => {
          const kernel = new FakeKernel();
          kernel.tables[table] = tableOf(lengths);
          const told = walk(kernel, table);
          expect(told.serials).toEqual(Array.from({ length: sum(lengths) }, (_, index) => index));
          expect(told.runs).toEqual(told.runs.map((_, run) => run));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes one run where one buffer takes all', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([1, 0, RECORDS - 1]);
    expect(walk(kernel, 'connections').runs).toEqual([0]);
    expect(kernel.calls).toHaveLength(1);
  });

  it('goes on at the slot that did not fit', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([RECORDS - 1, 2, 1]);
    walk(kernel, 'connections');
    expect(kernel.calls.map(({ context: { next, skip } }) => [next, skip])).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  it('goes on within a slot that no buffer takes', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([0, 2 * RECORDS + 1, 1]);
    walk(kernel, 'connections');
    expect(kernel.calls.map(({ context: { next, skip } }) => [next, skip])).toEqual([
      [0, 0],
      [1, RECORDS],
      [1, 2 * RECORDS],
    ]);
  });

  it('ends where the rest of such a slot is gone meanwhile', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([RECORDS + 5]);
    kernel.beforeRun = () => {
      if (kernel.calls.length === 2) kernel.tables.connections = [[]];
    };
    expect(walk(kernel, 'connections').serials).toHaveLength(RECORDS);
  });

  it('of an empty table takes no buffer', () => {
    const { runs, serials } = walk(new FakeKernel(), 'listeners');
    expect([runs, serials]).toEqual([[], []]);
  });

  it('asks for no more than is wanted, in every run', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([RECORDS, 1]);
    const asked = (wanted: typeof NOTHING_MORE) => {
      kernel.calls.length = 0;
      walk(kernel, 'connections', wanted);
      return kernel.calls.map(({ context: { wantsInodes, wantsCgroups } }) => [wantsInodes, wantsCgroups]);
    };
    expect(asked({ inodes: true, cgroups: false })).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(asked({ inodes: false, cgroups: true })).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('tells each run nothing that the one before it said of itself', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([RECORDS, 1]);
    walk(kernel, 'connections');
    const out = ({ context: { count, slots, torn, alien, zero } }: (typeof kernel.calls)[number]) =>
      [count, slots, torn, alien, zero].join(' ');
    expect(kernel.calls.map(out)).toEqual(['0 0 0 0 0', '0 0 0 0 0']);
  });
});

describe('a walk that fails', () => {
  it('does so where a chain was never whole, and tells nothing of that run', () => {
    const kernel = new FakeKernel();
    kernel.tables.bind_buckets = tableOf([3]);
    kernel.answer = { torn: 1 };
    const told: number[] = [];
    expect(() => walkInto(kernel, 'bind_buckets', NOTHING_MORE, told)).toThrow(
      new ExporterError("walking the kernel's table of bind buckets: a chain did not end where it began"),
    );
    expect(told).toEqual([]);
  });

  it('passes over entries that belonged elsewhere: their chain was read again', () => {
    const kernel = new FakeKernel();
    kernel.tables.connections = tableOf([3]);
    kernel.answer = { alien: 2 };
    expect(walk(kernel, 'connections').serials).toEqual([0, 1, 2]);
  });

  it('does so where a run comes no further, rather than go on for ever', () => {
    const kernel = new FakeKernel();
    kernel.answer = { next: 0, slots: 8 };
    expect(() => walk(kernel, 'connections')).toThrow(
      new ExporterError("walking the kernel's table of connections: no progress at slot 0"),
    );
    expect(kernel.calls).toHaveLength(1);
  });

  it('does so with what the kernel said', () => {
    const kernel = new FakeKernel();
    const refusal = new KernelError('bpf(BPF_PROG_TEST_RUN)', constants.errno.EPERM);
    kernel.beforeRun = () => {
      throw refusal;
    };
    expect(() => walk(kernel, 'listeners')).toThrow(refusal);
    expect(() => new TableWalker(kernel).identify()).toThrow(refusal);
  });
});

describe('a namespace', () => {
  it('is identified by what the kernel knows of the calling thread', () => {
    const kernel = new FakeKernel();
    const walker = new TableWalker(kernel);
    kernel.namespace = { netns: 4_026_531_840, isPernet: 0 };
    expect(walker.identify()).toEqual({ inode: 4_026_531_840, isPernet: false });
    kernel.namespace = { netns: 7, isPernet: 1 };
    expect(walker.identify()).toEqual({ inode: 7, isPernet: true });
    expect(kernel.calls.map(({ program }) => program)).toEqual(['identify', 'identify']);
  });

  it('has reserved ports, read by where it is in memory', () => {
    const kernel = new FakeKernel();
    kernel.namespace = { netns: 7 };
    // 0, 33 to 40 and 65 535
    const bytes = [
      [0, 1],
      [4, 0xfe],
      [5, 1],
      [8191, 0x80],
    ] as const;
    for (const [byte, bits] of bytes) kernel.reserved[byte] = bits;
    expect(new TableWalker(kernel).readReservedPorts(7, [5, 9])).toEqual([
      [0, 0],
      [33, 40],
      [65_535, 65_535],
    ]);
    expect(kernel.calls[0]?.context).toMatchObject({ netLow: 5, netHigh: 9 });
  });

  it('has none where another is in its place by now', () => {
    const kernel = new FakeKernel();
    kernel.namespace = { netns: 8 };
    expect(() => new TableWalker(kernel).readReservedPorts(7, [5, 9])).toThrow('net:[7] is gone');
  });
});

describe('the ports with listeners', () => {
  it('are forgotten all at once', () => {
    const kernel = new FakeKernel();
    new TableWalker(kernel).forgetListeners();
    expect(kernel.written).toEqual([
      ['listening', new Uint8Array(65_536 / 8)],
      ['listener_files', new Uint8Array(2 ** 20 / 8)],
    ]);
  });
});

it('sockets are sought by the lower half of their inode numbers', () => {
  const kernel = new FakeKernel();
  new TableWalker(kernel).seek([9, 3 * 65_536 + 15, 4_294_967_295]);
  const [map, bits] = kernel.written[0] ?? [];
  expect(map).toBe('sought');
  expect([...(bits ?? [])].flatMap((byte, index) => (byte === 0 ? [] : [[index, byte]]))).toEqual([
    [1, 0b1000_0010],
    [8191, 0b1000_0000],
  ]);
});

it('a closed walker leaves nothing in the kernel', () => {
  const kernel = new FakeKernel();
  new TableWalker(kernel).close();
  expect(kernel.isClosed).toBe(true);
});

/** Slots of these lengths; records are numbered throughout. */
function tableOf(lengths: readonly number[]): Table {
  let serial = 0;
  return lengths.map((length) => Array.from({ length }, (): KernelRecord => ({ extra: serial++ })));
}

function walk(kernel: FakeKernel, table: TableName, wanted = NOTHING_MORE) {
  const serials: number[] = [];
  const runs = walkInto(kernel, table, wanted, serials);
  return { serials, runs };
}

/** → the runs that told records. */
function walkInto(
  kernel: FakeKernel,
  table: TableName,
  wanted: typeof NOTHING_MORE,
  serials: number[],
): number[] {
  const runs: number[] = [];
  // Not at the start of its memory, as a buffer need not be.
  const buffer = new Int32Array(new ArrayBuffer(4 * (RECORDS * RECORD_WORDS + 1)), 4);
  const take = (count: number) => {
    runs.push(runs.length);
    for (let record = 0; record < count; record++)
      serials.push(buffer[record * RECORD_WORDS + RECORD_WORDS - 1] as number);
  };
  new TableWalker(kernel).walk(table, wanted, buffer, take);
  return runs;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
