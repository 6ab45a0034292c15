import { constants } from 'node:os';
import { ExporterError, KernelError } from '../base/errors.ts';
import { Attributes } from './bpfAttributes.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import type { Koffi } from './koffi.ts';

/** `enum bpf_cmd` of `include/uapi/linux/bpf.h`. */
const BPF_MAP_CREATE = 0;
const BPF_MAP_LOOKUP_ELEM = 1;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_PROG_LOAD = 5;
const BPF_PROG_TEST_RUN = 10;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_RAW_TRACEPOINT_OPEN = 17;
const BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25;

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
const BPF_PROG_TYPE_SYSCALL = 31;
const BPF_F_SLEEPABLE = 1 << 4;

/** `__NR_bpf` by `process.arch`. */
const SYSCALL_NUMBERS: Partial<Record<string, number>> = {
  x64: 321,
  arm64: 280,
  riscv64: 280,
  loong64: 280,
  arm: 386,
  ia32: 357,
  ppc64: 361,
};

/** Where the entries of a hash map go: all keys, one after the other, and all values. */
export interface EntryRoom {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** Of both. At least as many as hash to the same bucket: a hundred always do. */
  readonly entries: number;
}

/** A part of a hash map. */
export interface Batch {
  readonly entries: number;
  /** It was the last. */
  readonly isLast: boolean;
}

/** The commands of bpf(2) that are needed: all of them synchronous. A refused one throws a KernelError. */
export type BpfCalls = ReturnType<typeof openBpf>;

/** Throws an ExporterError on machines that no program is compiled for. */
export function openBpf(koffi: Koffi) {
  const number = SYSCALL_NUMBERS[process.arch];
  if (number === undefined || !HOST_IS_LITTLE_ENDIAN)
    throw new ExporterError(
      `bpf(): programs are compiled for little-endian machines, not for ${process.arch}`,
    );
  const syscall = koffi.load(null).func('long syscall(long, int, uint8_t *, unsigned int)');
  const attributes = (length: number) => new Attributes(koffi, length);
  const attempt = (command: number, { bytes }: Attributes) =>
    Number(syscall(number, command, bytes, bytes.length));
  const refusal = (what: string) => new KernelError(`bpf(${what})`, koffi.errno());
  const call = (command: number, what: string, attr: Attributes): number => {
    const result = attempt(command, attr);
    if (result < 0) throw refusal(what);
    return result;
  };
  /** False where there is nothing more: an end that is met each time is worth no error. */
  const callUntilEmpty = (command: number, what: string, attr: Attributes): boolean => {
    if (attempt(command, attr) >= 0) return true;
    if (koffi.errno() === constants.errno.ENOENT) return false;
    throw refusal(what);
  };
  const key = new Uint32Array(new ArrayBuffer(4));
  const keyBytes = new Uint8Array(key.buffer);
  const element = (map: number, index: number, value: Uint8Array) => {
    key[0] = index;
    return attributes(32).u32(0, map).pointer(8, keyBytes).pointer(16, value);
  };
  return {
    attributes,
    /** Runs a program of type BPF_PROG_TYPE_SYSCALL → what it returned. */
    run(program: number, context: Uint8Array): number {
      const attr = attributes(80).u32(0, program).u32(40, context.length).pointer(48, context);
      call(BPF_PROG_TEST_RUN, 'BPF_PROG_TEST_RUN', attr);
      return attr.int32(4);
    },
    /** An array of one element → descriptor. */
    createArrayMap(name: string, valueBytes: number): number {
      const attr = attributes(72).u32(0, BPF_MAP_TYPE_ARRAY).u32(4, 4).u32(8, valueBytes).u32(12, 1);
      return call(BPF_MAP_CREATE, 'BPF_MAP_CREATE', attr.text(28, name));
    },
    /** An array of one map → descriptor. @param inner a map as those that it may have */
    createMapOfMaps(name: string, inner: number): number {
      const attr = attributes(72).u32(0, BPF_MAP_TYPE_ARRAY_OF_MAPS).u32(4, 4).u32(8, 4).u32(12, 1);
      return call(BPF_MAP_CREATE, 'BPF_MAP_CREATE', attr.u32(20, inner).text(28, name));
    },
    /** The value of an array's element. */
    lookup: (map: number, index: number, into: Uint8Array): void =>
      void call(BPF_MAP_LOOKUP_ELEM, 'BPF_MAP_LOOKUP_ELEM', element(map, index, into)),
    update: (map: number, index: number, value: Uint8Array): void =>
      void call(BPF_MAP_UPDATE_ELEM, 'BPF_MAP_UPDATE_ELEM', element(map, index, value)),
    /** What removes the oldest of a queue, and returns false where it is empty. @param into where it goes each time */
    popper(map: number, into: Uint8Array): () => boolean {
      const attr = attributes(32).u32(0, map).pointer(16, into);
      return () => callUntilEmpty(BPF_MAP_LOOKUP_AND_DELETE_ELEM, 'BPF_MAP_LOOKUP_AND_DELETE_ELEM', attr);
    },
    /** What removes as many entries of a hash map as there is room for: from its beginning on, until one is the last. */
    batches(map: number, { keys, values, entries }: EntryRoom): () => Batch {
      const at = new Uint8Array(new ArrayBuffer(4));
      let isFirst = true;
      return () => {
        const attr = attributes(56).pointer(8, at).pointer(16, keys).pointer(24, values);
        if (!isFirst) attr.pointer(0, at);
        isFirst = false;
        attr.u32(32, entries).u32(36, map);
        const goesOn = callUntilEmpty(
          BPF_MAP_LOOKUP_AND_DELETE_BATCH,
          'BPF_MAP_LOOKUP_AND_DELETE_BATCH',
          attr,
        );
        return { entries: attr.int32(32), isLast: !goesOn };
      };
    },
    /** Attaches a tracing program to what it was compiled for → descriptor of the link, which ends with it. */
    attach: (program: number): number =>
      call(BPF_RAW_TRACEPOINT_OPEN, 'BPF_RAW_TRACEPOINT_OPEN', attributes(16).u32(8, program)),
    /** struct bpf_prog_info or struct bpf_link_info of a descriptor: as much as there is room for. */
    info: (fd: number, into: Uint8Array): void =>
      void call(
        BPF_OBJ_GET_INFO_BY_FD,
        'BPF_OBJ_GET_INFO_BY_FD',
        attributes(16).u32(0, fd).u32(4, into.length).pointer(8, into.fill(0)),
      ),
    /** A program of type BPF_PROG_TYPE_SYSCALL → descriptor. @param map what the instructions call by index 0 */
    loadProgram(name: string, instructions: Uint8Array, map: number): number {
      const license = new Uint8Array(Buffer.from('Dual BSD/GPL\0', 'latin1'));
      const fds = attributes(4).u32(0, map).bytes;
      const attr = attributes(128)
        .u32(0, BPF_PROG_TYPE_SYSCALL)
        .u32(4, instructions.length / 8)
        .pointer(8, instructions)
        .pointer(16, license)
        .u32(44, BPF_F_SLEEPABLE)
        .text(48, name)
        .pointer(120, fds);
      return call(BPF_PROG_LOAD, 'BPF_PROG_LOAD', attr);
    },
  };
}
