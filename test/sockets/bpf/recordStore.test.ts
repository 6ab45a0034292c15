import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteOf, RecordStore } from '../../../src/sockets/bpf/recordStore.ts';
import { RECORDS } from '../../../src/sockets/bpf/walk.ts';
import { encodeRecord, RECORD_BYTES } from './encode.ts';

/** Inode numbers of network namespaces have the upper bit set. */
const HOST = 4_026_531_840;
const POD = 4_026_532_500;
const GONE = 4_026_532_999;

describe('the records of a walk', () => {
  it('are visited by namespace, each once and in order, whatever the walks before had', () => {
    const inode = fc.constantFrom(HOST, POD, GONE, 1);
    const stretch = fc.record({ inode, length: fc.oneof(fc.nat(3), fc.integer({ min: 4, max: 1500 })) });
    // A run whose buffer takes no more, and one that found nothing, are two of them.
    const run = fc.oneof(
      fc.array(stretch, { maxLength: 4 }).map(namespacesIn),
      inode.map((one) => Array<number>(RECORDS).fill(one)),
      fc.constant([]),
    );
    const walks = fc.array(fc.array(run, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(walks, (all) => {
        const store = new RecordStore();
        for (const runs of all) {
          const expected = fill(store, runs);
          expect([...store.inodes].sort()).toEqual([...expected.keys()].sort());
          for (const one of [HOST, POD, GONE, 1, 2]) {
            expect(serialsOf(store, one)).toEqual(expected.get(one) ?? []);
            expect(store.countOf(one)).toBe(expected.get(one)?.length ?? 0);
          }
        }
      }),
    );
  });

  it('are none of a buffer that was read and not taken', () => {
    const store = new RecordStore();
    put(store.buffer, 0, HOST, 1);
    put(store.buffer, 1, HOST, 2);
    store.take(1);
    expect(serialsOf(store, HOST)).toEqual([1]);
  });
});

describe('a cleared store', () => {
  it('has no records', () => {
    const store = new RecordStore();
    fill(store, [[HOST], [POD]]);
    store.clear();
    expect(store.inodes).toEqual([]);
    expect([store.countOf(HOST), store.countOf(POD)]).toEqual([0, 0]);
    expect(serialsOf(store, HOST)).toEqual([]);
  });

  it('forgets a namespace that a whole walk did not see, and knows it again when it comes back', () => {
    const store = new RecordStore();
    fill(store, [[HOST, GONE]]);
    fill(store, [[HOST]]);
    expect(store.inodes).toEqual([HOST]);
    fill(store, [[HOST]]);
    expect(store.inodes).toEqual([HOST]);
    const expected = fill(store, [[GONE, HOST]]);
    expect(serialsOf(store, GONE)).toEqual(expected.get(GONE));
  });

  it('takes a namespace that it forgot at the same moment for a new one', () => {
    const store = new RecordStore();
    fill(store, [[GONE]]);
    // Forgotten by the second of them, while it is the namespace that was met last.
    store.clear();
    store.clear();
    const expected = fill(store, [[GONE]]);
    expect(serialsOf(store, GONE)).toEqual(expected.get(GONE));
  });
});

describe('a byte of a word', () => {
  it('is the one at that place in memory', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        const [word = 0] = new Int32Array(bytes.slice().buffer);
        expect(([0, 1, 2, 3] as const).map((index) => byteOf(word, index))).toEqual([...bytes]);
      }),
    );
  });
});

/** The namespaces of a run's records, one after the other. */
function namespacesIn(stretches: readonly { inode: number; length: number }[]): number[] {
  return stretches.flatMap(({ inode, length }) => Array<number>(length).fill(inode)).slice(0, RECORDS);
}

let serial = 0;

/** A walk that finds this → the numbers of its records by namespace. */
function fill(store: RecordStore, runs: readonly (readonly number[])[]): Map<number, number[]> {
  const serials = new Map<number, number[]>();
  store.clear();
  for (const inodes of runs) {
    for (const [index, inode] of inodes.entries()) {
      put(store.buffer, index, inode, ++serial);
      const known = serials.get(inode);
      if (known === undefined) serials.set(inode, [serial]);
      else known.push(serial);
    }
    store.take(inodes.length);
  }
  return serials;
}

function put(buffer: Int32Array, index: number, netns: number, extra: number): void {
  encodeRecord({ netns, extra }, new DataView(buffer.buffer, index * RECORD_BYTES, RECORD_BYTES));
}

function serialsOf(store: RecordStore, inode: number): number[] {
  const serials: number[] = [];
  store.visit(inode, (words, at) => serials.push(words[at + RECORD_BYTES / 4 - 1] as number));
  return serials;
}
