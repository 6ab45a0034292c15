import { ExporterError } from '../../base/errors.ts';
import type { LoadedBpf } from '../../kernel/bpf.ts';
import type { Wanted } from '../source.ts';

/** The programs of `src/kernel/bpf/` that walk a table, by their names there. */
export type TableName = 'listeners' | 'bind_buckets' | 'bind_addresses' | 'connections';

/** 32-bit words of `struct record`, `src/kernel/bpf/walk.h`. */
export const RECORD_WORDS = 16;
/** Records in the buffer of a run. */
export const RECORDS = 4096;
/** struct walk: 13 words. */
const CONTEXT_WORDS = 13;
const NEXT = 0;
const SKIP = 1;
const COUNT = 2;
const SLOTS = 3;
const WANTS_INODES = 4;
const WANTS_CGROUPS = 5;
const TORN = 6;
const NETNS = 8;
const FIN_TIMEOUT = 9;
const KEEPALIVE_INTERVAL = 10;
const IS_PERNET = 11;

/** Bytes of struct ports: a bit for each port. */
const PORTS_BYTES = 8192;

/** The network namespace of the calling thread, as the kernel has it. */
export interface KernelNamespace {
  readonly inode: number;
  /** It has a connection table of its own (net.ipv4.tcp_child_ehash_entries). */
  readonly isPernet: boolean;
  /** Sysctls in jiffies. */
  readonly finTimeout: number;
  readonly keepaliveInterval: number;
}

/** Walks tables of the kernel for all network namespaces at once, in runs that each fill a buffer. */
export class TableWalker {
  readonly #bpf: LoadedBpf;
  readonly #context = new Uint32Array(new ArrayBuffer(4 * CONTEXT_WORDS));
  readonly #bytes = new Uint8Array(this.#context.buffer);

  constructor(bpf: LoadedBpf) {
    this.#bpf = bpf;
  }

  /**
   * One whole walk. Throws an ExporterError where the kernel refuses it, or a chain was never read to its end: what was
   * told until then is half a table.
   *
   * @param bufferOf where the records of the run with this number go
   * @param take told how many they are
   */
  walk(
    table: TableName,
    wanted: Wanted,
    bufferOf: (run: number) => Int32Array,
    take: (run: number, count: number) => void,
  ): void {
    const context = this.#context;
    let next = 0;
    let skip = 0;
    for (let run = 0; ; run++) {
      context.fill(0);
      context[NEXT] = next;
      context[SKIP] = skip;
      context[WANTS_INODES] = Number(wanted.inodes);
      context[WANTS_CGROUPS] = Number(wanted.cgroups);
      this.#run(table);
      const count = context[COUNT] as number;
      const slots = context[SLOTS] as number;
      if ((context[TORN] as number) > 0)
        throw new ExporterError(
          `walking the kernel's table of ${table.replace('_', ' ')}: a chain did not end where it began`,
        );
      if (count > 0) {
        const buffer = bufferOf(run);
        this.#bpf.read('records', new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
        take(run, count);
      }
      if ((context[NEXT] as number) >= slots) return;
      if (context[NEXT] === next && context[SKIP] === skip && count === 0)
        throw new ExporterError(
          `walking the kernel's table of ${table.replace('_', ' ')}: no progress at slot ${next}`,
        );
      next = context[NEXT] as number;
      skip = context[SKIP] as number;
    }
  }

  /** Before the listeners of a round are walked: no port has one. */
  forgetListeners(): void {
    this.#bpf.write('listening', new Uint8Array(new ArrayBuffer(PORTS_BYTES)));
  }

  identify(): KernelNamespace {
    this.#context.fill(0);
    this.#run('identify');
    const word = (index: number) => this.#context[index] as number;
    return {
      inode: word(NETNS),
      isPernet: word(IS_PERNET) !== 0,
      finTimeout: word(FIN_TIMEOUT),
      keepaliveInterval: word(KEEPALIVE_INTERVAL),
    };
  }

  close(): void {
    this.#bpf.close();
  }

  #run(program: TableName | 'identify'): void {
    this.#bpf.run(program, this.#bytes);
  }
}
