import type { LoadedBpf } from '../../../src/kernel/bpf.ts';
import { HOST_IS_LITTLE_ENDIAN } from '../../../src/kernel/endian.ts';
import { RECORDS, type TableName } from '../../../src/sockets/bpf/walk.ts';
import { encodeRecord, type KernelRecord, RECORD_BYTES } from './encode.ts';

/** A hash table: the chain of each slot. */
export type Table = readonly (readonly KernelRecord[])[];

/** Words of `struct walk`, `src/kernel/bpf/walk.h`, in their order there. */
const WORDS: readonly string[] = [
  ...['next', 'skip', 'count', 'slots', 'wantsInodes', 'wantsCgroups', 'torn', 'alien'],
  ...['netns', 'isPernet', 'netLow', 'netHigh', 'pad', 'zero'],
];

/** What a program was given: the words that it reads. */
export interface Call {
  readonly program: string;
  readonly context: Readonly<Record<string, number>>;
}

/** The programs of `src/kernel/bpf/` and their maps, as bytes; the tables that they walk are the test's. */
export class FakeKernel implements LoadedBpf {
  readonly tables: Record<TableName, Table> = {
    namespaces: [[]],
    listeners: [[]],
    bind_buckets: [[]],
    bind_addresses: [[]],
    connections: [[]],
    udp: [[]],
    holders: [[]],
  };
  /** What `identify` says, and `reserved_ports`. */
  namespace: Readonly<Record<string, number>> = {};
  /** Called before each program, which it may make fail. */
  beforeRun: (program: string) => void = () => {};
  /** What a program answers in place of the truth. */
  answer: Readonly<Record<string, number>> = {};
  /** net.ipv4.ip_local_reserved_ports, a bit each. */
  readonly reserved = new Uint8Array(65_536 / 8);
  readonly calls: Call[] = [];
  readonly written: (readonly [string, Uint8Array])[] = [];
  isClosed = false;
  readonly #records = new DataView(new ArrayBuffer(RECORDS * RECORD_BYTES));

  run(program: string, context: Uint8Array): void {
    const view = new DataView(context.buffer, context.byteOffset, context.byteLength);
    if (view.byteLength !== 4 * WORDS.length) throw new Error(`a context of ${view.byteLength} bytes`);
    const words = WORDS.map((word, index) => [word, view.getUint32(4 * index, HOST_IS_LITTLE_ENDIAN)]);
    const given: Call['context'] = Object.fromEntries(words);
    this.calls.push({ program, context: given });
    this.beforeRun(program);
    const told =
      program === 'identify' || program === 'reserved_ports'
        ? this.namespace
        : this.#walk(program as TableName, given);
    for (const [word, value] of Object.entries({ ...told, ...this.answer }))
      view.setUint32(4 * WORDS.indexOf(word), value, HOST_IS_LITTLE_ENDIAN);
  }

  read(map: string, into: Uint8Array): void {
    if (map === 'reserved') into.set(this.reserved);
    else if (map === 'records') into.set(new Uint8Array(this.#records.buffer));
    else throw new Error(`${map} is not read`);
  }

  write(map: string, value: Uint8Array): void {
    this.written.push([map, value.slice()]);
  }

  close(): void {
    this.isClosed = true;
  }

  /** begin_slot() to end_slot(): whole slots, unless one alone is more than the buffer takes. */
  #walk(table: TableName, given: Call['context']): Record<string, number> {
    const slots = this.tables[table];
    const next = given['next'] ?? 0;
    let skip = given['skip'] ?? 0;
    let count = 0;
    for (const [slot, chain] of slots.entries()) {
      if (slot < next) continue;
      const rest = chain.slice(skip);
      const isFull = rest.length > RECORDS - count;
      if (isFull && count > 0) return { next: slot, skip: 0, count, slots: slots.length };
      for (const record of rest.slice(0, RECORDS - count))
        encodeRecord(record, new DataView(this.#records.buffer, count++ * RECORD_BYTES, RECORD_BYTES));
      if (isFull) return { next: slot, skip: skip + RECORDS, count, slots: slots.length };
      skip = 0;
    }
    return { next: slots.length, skip: 0, count, slots: slots.length };
  }
}
