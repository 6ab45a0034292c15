import { constants } from 'node:os';
import { ExporterError, errorCode, KernelError } from '../base/errors.ts';
import { Attributes } from './bpfAttributes.ts';
import type { BpfBlob } from './bpfBlob.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import { type Koffi, loadKoffi } from './koffi.ts';
import type { Libc } from './libc.ts';

/** BPF programs of one blob in the kernel, and their maps. They are gone with the last descriptor: with this process, if not before. */
export interface LoadedBpf {
  /**
   * Runs a program of type BPF_PROG_TYPE_SYSCALL on the calling thread; `context` is what it reads and writes. Throws a
   * KernelError.
   */
  run(program: string, context: Uint8Array): void;
  /** Copies the value of an array map's only element. Throws a KernelError. */
  read(map: string, into: Uint8Array): void;
  /** Sets it. Throws a KernelError. */
  write(map: string, value: Uint8Array): void;
  close(): void;
}

/** `enum bpf_cmd` of `include/uapi/linux/bpf.h`. */
const BPF_MAP_CREATE = 0;
const BPF_MAP_LOOKUP_ELEM = 1;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_PROG_LOAD = 5;
const BPF_PROG_TEST_RUN = 10;

const BPF_MAP_TYPE_ARRAY = 2;
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

/** struct bpf_loader_ctx, struct bpf_map_desc, struct bpf_prog_desc of `tools/lib/bpf/skel_internal.h`. */
const LOADER_CONTEXT_BYTES = 24;
const MAP_BYTES = 16;
const PROGRAM_BYTES = 4;
const LOG_BYTES = 1 << 16;

/**
 * Loads a blob. The kernel relocates it to its own types, which takes its BTF. Throws an ExporterError where the FFI library
 * or the kernel refuses.
 *
 * @param libc closes descriptors
 */
export function loadBpf({ maps, programs, data, instructions }: BpfBlob, libc: Libc): LoadedBpf {
  const bpf = openBpf(loadKoffi());
  const dataMap = bpf.createArrayMap('__loader.map', data.length);
  let context: Attributes;
  try {
    bpf.update(dataMap, data);
    const loader = bpf.loadProgram('__loader.prog', instructions, dataMap);
    try {
      context = bpf.runLoader(loader, maps.length, programs.length);
    } finally {
      libc.close(loader);
    }
  } finally {
    libc.close(dataMap);
  }
  const mapFds = descriptors(maps, context, LOADER_CONTEXT_BYTES, MAP_BYTES);
  const programFds = descriptors(
    programs,
    context,
    LOADER_CONTEXT_BYTES + MAP_BYTES * maps.length,
    PROGRAM_BYTES,
  );
  return {
    run: (program, programContext) => void bpf.run(of(programFds, program), programContext),
    read: (map, into) => bpf.lookup(of(mapFds, map), into),
    write: (map, value) => bpf.update(of(mapFds, map), value),
    close() {
      for (const fd of [...programFds.values(), ...mapFds.values()]) libc.close(fd);
      programFds.clear();
      mapFds.clear();
    },
  };
}

function descriptors(
  names: readonly string[],
  context: Attributes,
  start: number,
  step: number,
): Map<string, number> {
  return new Map(names.map((name, index) => [name, context.int32(start + index * step)]));
}

function of(fds: ReadonlyMap<string, number>, name: string): number {
  const fd = fds.get(name);
  if (fd === undefined) throw new Error(`no BPF program or map is called ${name}`);
  return fd;
}

/** The commands of bpf(2) that are needed: all of them synchronous. */
function openBpf(koffi: Koffi) {
  const number = SYSCALL_NUMBERS[process.arch];
  if (number === undefined || !HOST_IS_LITTLE_ENDIAN)
    throw new ExporterError(
      `bpf(): programs are compiled for little-endian machines, not for ${process.arch}`,
    );
  const syscall = koffi.load(null).func('long syscall(long, int, uint8_t *, unsigned int)');
  const attributes = (length: number) => new Attributes(koffi, length);
  const call = (command: number, what: string, { bytes }: Attributes): number => {
    const result = Number(syscall(number, command, bytes, bytes.length));
    if (result < 0) throw new KernelError(`bpf(${what})`, koffi.errno());
    return result;
  };
  const key = new Uint8Array(new ArrayBuffer(4));
  const element = (map: number, value: Uint8Array) =>
    attributes(32).u32(0, map).pointer(8, key).pointer(16, value);
  const run = (program: number, context: Uint8Array): Attributes => {
    const attr = attributes(80).u32(0, program).u32(40, context.length).pointer(48, context);
    call(BPF_PROG_TEST_RUN, 'BPF_PROG_TEST_RUN', attr);
    return attr;
  };
  return {
    run,
    createArrayMap(name: string, valueBytes: number): number {
      const attr = attributes(72).u32(0, BPF_MAP_TYPE_ARRAY).u32(4, 4).u32(8, valueBytes).u32(12, 1);
      return call(BPF_MAP_CREATE, 'BPF_MAP_CREATE', attr.text(28, name));
    },
    lookup: (map: number, into: Uint8Array): void =>
      void call(BPF_MAP_LOOKUP_ELEM, 'BPF_MAP_LOOKUP_ELEM', element(map, into)),
    update: (map: number, value: Uint8Array): void =>
      void call(BPF_MAP_UPDATE_ELEM, 'BPF_MAP_UPDATE_ELEM', element(map, value)),
    /** @param map what the instructions call by index 0 */
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
      return again(() => call(BPF_PROG_LOAD, 'BPF_PROG_LOAD', attr));
    },
    /** Runs the loader → its context, with the descriptors. */
    runLoader(loader: number, maps: number, programs: number): Attributes {
      const load = (log: Uint8Array) => {
        const context = attributes(LOADER_CONTEXT_BYTES + MAP_BYTES * maps + PROGRAM_BYTES * programs);
        // u32 sz, flags, log_level, log_size; u64 log_buf
        context.u32(0, context.bytes.length);
        if (log.length > 0) context.u32(8, 1).u32(12, log.length).pointer(16, log);
        return { context, returned: run(loader, context.bytes).int32(4) };
      };
      const { context, returned } = again(() => {
        const loaded = load(new Uint8Array(0));
        if (loaded.returned === -constants.errno.EAGAIN) throw interrupted();
        return loaded;
      });
      if (returned >= 0) return context;
      // A log that is too short for what the verifier says is a failure too: it is asked for once it is needed.
      const log = new Uint8Array(new ArrayBuffer(LOG_BYTES));
      load(log);
      throw new KernelError(`loading BPF programs${lastWords(log)}`, -returned);
    },
  };
}

/** As often as libbpf tries: the verifier gives up where a signal waits for this thread (kernel/bpf/verifier.c). */
const ATTEMPTS = 5;

function again<T>(load: () => T): T {
  for (let attempt = 1; ; attempt++) {
    try {
      return load();
    } catch (error) {
      if (attempt === ATTEMPTS || errorCode(error) !== 'EAGAIN') throw error;
    }
  }
}

function interrupted(): KernelError {
  return new KernelError('loading BPF programs', constants.errno.EAGAIN);
}

/** What the verifier said last of a program that it refused. */
function lastWords(log: Uint8Array): string {
  const text = Buffer.from(log.subarray(0, log.indexOf(0))).toString('latin1');
  const [line] = text
    .trimEnd()
    .split('\n')
    .filter((one) => !one.startsWith('processed '))
    .slice(-1);
  return line === undefined || line === '' ? '' : ` ("${line.slice(0, 120)}")`;
}
