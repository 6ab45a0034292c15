import { ExporterError } from '../../base/errors.ts';
import type { LoadedBpf } from '../../kernel/bpf.ts';
import type { PortSysctls } from '../../kernel/sysctl.ts';
import type { Wanted } from '../source.ts';

/** The programs of `src/kernel/bpf/` that walk a table, by their names there. */
export type TableName =
  | 'namespaces'
  | 'listeners'
  | 'bind_buckets'
  | 'bind_addresses'
  | 'connections'
  | 'udp'
  | 'holders';

/** 32-bit words of `struct record`, `src/kernel/bpf/walk.h`. */
export const RECORD_WORDS = 16;
/** Records in the buffer of a run. */
export const RECORDS = 4096;
/** struct walk: 32-bit words, and which is which. */
const CONTEXT_WORDS = 14;
const NEXT = 0;
const SKIP = 1;
const COUNT = 2;
const SLOTS = 3;
const WANTS_INODES = 4;
const WANTS_CGROUPS = 5;
const TORN = 6;
const NETNS = 8;
const IS_PERNET = 9;
/** Lower and upper half of a pointer. */
const NET = 10;

/** Bytes of struct ports, of struct sought, and of struct file_bits. */
const PORTS_BYTES = 8192;
const SOUGHT_BYTES = 8192;
const FILES_BYTES = 131_072;

/** The network namespace of the calling thread, as the kernel has it. */
export interface KernelNamespace {
  readonly inode: number;
  /** It has a connection table of its own (net.ipv4.tcp_child_ehash_entries). */
  readonly isPernet: boolean;
}

/** Walks tables of the kernel for all network namespaces at once, in runs that each fill a buffer. */
export class TableWalker {
  readonly #bpf: LoadedBpf;
  readonly #context = new Uint32Array(new ArrayBuffer(4 * CONTEXT_WORDS));
  readonly #bytes = new Uint8Array(this.#context.buffer);
  /** One after the other, for whatever is asked of ports. */
  readonly #ports = new Uint8Array(new ArrayBuffer(PORTS_BYTES));
  readonly #noFiles = new Uint8Array(new ArrayBuffer(FILES_BYTES));

  constructor(bpf: LoadedBpf) {
    this.#bpf = bpf;
  }

  /**
   * One whole walk. Throws an ExporterError where the kernel refuses it, or a chain was never read to its end: what was
   * told until then is half a table.
   *
   * @param buffer where the records of each run go
   * @param take told how many they are
   * @param isOver asked after each run: the rest is left out then
   */
  walk(
    table: TableName,
    wanted: Wanted,
    buffer: Int32Array,
    take: (count: number) => void,
    isOver: () => boolean = () => false,
  ): void {
    const context = this.#context;
    let next = 0;
    let skip = 0;
    for (;;) {
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
        this.#bpf.read('records', new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
        take(count);
      }
      if ((context[NEXT] as number) >= slots || isOver()) return;
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
    this.#bpf.write('listening', this.#ports.fill(0));
    this.#bpf.write('listener_files', this.#noFiles);
  }

  /** Before `holders` is walked: of which sockets they are sought. Those of others may be told, too. */
  seek(inodes: Iterable<number>): void {
    const bits = new Uint8Array(new ArrayBuffer(SOUGHT_BYTES));
    for (const inode of inodes) {
      const bit = inode & 0xffff;
      bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
    }
    this.#bpf.write('sought', bits);
  }

  identify(): KernelNamespace {
    this.#context.fill(0);
    this.#run('identify');
    return {
      inode: this.#context[NETNS] as number,
      isPernet: (this.#context[IS_PERNET] as number) !== 0,
    };
  }

  /**
   * net.ipv4.ip_local_reserved_ports of a namespace, as inclusive pairs. Throws an ExporterError where it is gone.
   *
   * @param net lower and upper half of what `namespaces` told
   */
  readReservedPorts(inode: number, net: readonly [number, number]): PortSysctls['reserved'] {
    this.#context.fill(0);
    this.#context.set(net, NET);
    this.#run('reserved_ports');
    if (this.#context[NETNS] !== inode) throw new ExporterError(`net:[${inode}] is gone`);
    this.#bpf.read('reserved', this.#ports);
    return rangesIn(this.#ports);
  }

  close(): void {
    this.#bpf.close();
  }

  #run(program: TableName | 'identify' | 'reserved_ports'): void {
    this.#bpf.run(program, this.#bytes);
  }
}

/** Ports by their bits → inclusive pairs. Mostly there are none. */
function rangesIn(bits: Uint8Array): [first: number, last: number][] {
  const words = new Uint32Array(bits.buffer);
  const ranges: [number, number][] = [];
  for (let word = 0; word < words.length; word++) {
    if (words[word] === 0) continue;
    for (let port = 32 * word; port < 32 * (word + 1); port++) {
      if ((((bits[port >>> 3] as number) >>> (port & 7)) & 1) === 0) continue;
      const last = ranges.at(-1);
      if (last?.[1] === port - 1) last[1] = port;
      else ranges.push([port, port]);
    }
  }
  return ranges;
}
