import { constants } from 'node:os';
import { errorCode, KernelError } from '../base/errors.ts';
import type { Attributes } from './bpfAttributes.ts';
import type { BpfBlob } from './bpfBlob.ts';
import { type BpfCalls, type EntryRoom, openBpf } from './bpfCalls.ts';
import { BpfLink } from './bpfLink.ts';
import { loadKoffi } from './koffi.ts';
import type { Libc } from './libc.ts';

/** BPF programs of one blob in the kernel, and their maps. They are gone with the last descriptor: with this process, if not before. */
export interface LoadedBpf {
  /**
   * Runs a program of type BPF_PROG_TYPE_SYSCALL on the calling thread; `context` is what it reads and writes. Throws a
   * KernelError.
   */
  run(program: string, context: Uint8Array): void;
  /** Copies the value of an array map's element, of the first by default. Throws a KernelError. */
  read(map: string, into: Uint8Array, index?: number): void;
  /** Sets it. Throws a KernelError. */
  write(map: string, value: Uint8Array, index?: number): void;
  close(): void;
}

/** The same, for programs that the kernel runs as things happen, and maps that they fill. */
export interface TracingBpf extends LoadedBpf {
  /** Attaches a program to what it was compiled for, until all is closed. Throws a KernelError. */
  attach(program: string): BpfLink;
  /** Whether the blob has this map. */
  has(map: string): boolean;
  /**
   * Removes the oldest values of a queue, at most so many. Throws a KernelError.
   *
   * @param take told of each as it has been written to `into`
   */
  pop(map: string, into: Uint8Array, atMost: number, take: () => void): void;
  /**
   * Removes all entries of a hash map, as many at a time as there is room for. Throws a KernelError.
   *
   * @param take told how many were written to `keys` and `values`
   */
  take(map: string, room: EntryRoom, take: (entries: number) => void): void;
}

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
export function loadBpf({ maps, programs, data, instructions }: BpfBlob, libc: Libc): TracingBpf {
  const bpf = openBpf(loadKoffi());
  const dataMap = bpf.createArrayMap('__loader.map', data.length);
  let context: Attributes;
  try {
    bpf.update(dataMap, 0, data);
    const loader = again(() => bpf.loadProgram('__loader.prog', instructions, dataMap));
    try {
      context = runLoader(bpf, loader, maps.length, programs.length);
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
  const links = new Set<number>();
  return {
    run: (program, programContext) => void bpf.run(of(programFds, program), programContext),
    attach(program) {
      const fd = of(programFds, program);
      const link = bpf.attach(fd);
      links.add(link);
      return new BpfLink(bpf, link, fd);
    },
    read: (map, into, index = 0) => bpf.lookup(of(mapFds, map), index, into),
    write: (map, value, index = 0) => bpf.update(of(mapFds, map), index, value),
    pop(map, into, atMost, take) {
      const pop = bpf.popper(of(mapFds, map), into);
      for (let popped = 0; popped < atMost && pop(); popped++) take();
    },
    take(map, room, take) {
      const next = bpf.batches(of(mapFds, map), room);
      for (let isLast = false; !isLast; ) {
        const batch = next();
        if (batch.entries > 0) take(batch.entries);
        isLast = batch.isLast;
      }
    },
    has: (map) => mapFds.has(map),
    close() {
      for (const fd of [...links, ...programFds.values(), ...mapFds.values()]) libc.close(fd);
      links.clear();
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

/** Runs the loader → its context, with the descriptors. */
function runLoader(bpf: BpfCalls, loader: number, maps: number, programs: number): Attributes {
  const load = (log: Uint8Array) => {
    const context = bpf.attributes(LOADER_CONTEXT_BYTES + MAP_BYTES * maps + PROGRAM_BYTES * programs);
    // u32 sz, flags, log_level, log_size; u64 log_buf
    context.u32(0, context.bytes.length);
    if (log.length > 0) context.u32(8, 1).u32(12, log.length).pointer(16, log);
    return { context, returned: bpf.run(loader, context.bytes) };
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
