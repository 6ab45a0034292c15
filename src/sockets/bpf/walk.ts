import { ExporterError } from '../../base/errors.ts';
import type { LoadedBpf } from '../../kernel/bpf.ts';
import type { PortSysctls } from '../../kernel/sysctl.ts';
import type { Wanted } from '../source.ts';

/** The programs of `src/kernel/bpf/` that walk a table, by their names there. */
export type TableName = 'listeners' | 'bind_buckets' | 'bind_addresses' | 'connections' | 'udp';

/** 32-bit words of `struct record`, `src/kernel/bpf/walk.h`. */
export const RECORD_WORDS = 16;
/** Records in the buffer of a run. */
export const RECORDS = 4096;
/** struct walk: 32-bit words, and which is which. */
const CONTEXT_WORDS = 22;
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
const FIRST_PORT = 12;
const LAST_PORT = 13;
const TW_REUSE = 14;
const TIMESTAMPS = 15;
const L3MDEV_ACCEPT = 16;
const TW_REUSE_DELAY = 17;
const UDP_TABLE = 18;

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
  /** Its UDP table: the same text as that of all who share it; '' where the kernel does not tell. */
  readonly udpTable: string;
}

/** Walks tables of the kernel for all network namespaces at once, in runs that each fill a buffer. */
export class TableWalker {
  readonly #bpf: LoadedBpf;
  readonly #context = new Uint32Array(new ArrayBuffer(4 * CONTEXT_WORDS));
  readonly #bytes = new Uint8Array(this.#context.buffer);
  /** One after the other, for whatever is asked of ports. */
  readonly #ports = new Uint8Array(new ArrayBuffer(PORTS_BYTES));

  constructor(bpf: LoadedBpf) {
    this.#bpf = bpf;
  }

  /**
   * One whole walk. Throws an ExporterError where the kernel refuses it, or a chain was never read to its end: what was
   * told until then is half a table.
   *
   * @param buffer where the records of each run go
   * @param take told how many they are
   */
  walk(table: TableName, wanted: Wanted, buffer: Int32Array, take: (count: number) => void): void {
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
    this.#bpf.write('listening', this.#ports.fill(0));
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
      udpTable: udpTableOf(word(UDP_TABLE), word(UDP_TABLE + 1)),
    };
  }

  /** The sysctls of the namespace of the calling thread. Throws a KernelError. */
  readSysctls(): PortSysctls {
    this.#context.fill(0);
    this.#run('identify');
    const word = (index: number) => this.#context[index] as number;
    this.#bpf.read('reserved', this.#ports);
    return {
      range: { first: word(FIRST_PORT), last: word(LAST_PORT) },
      reserved: rangesIn(this.#ports),
      twReuse: twReuseOf(word(TW_REUSE)),
      timestamps: word(TIMESTAMPS) !== 0,
      twReuseDelayMs: word(TW_REUSE_DELAY),
      l3mdevAccept: word(L3MDEV_ACCEPT) !== 0,
    };
  }

  close(): void {
    this.#bpf.close();
  }

  #run(program: TableName | 'identify'): void {
    this.#bpf.run(program, this.#bytes);
  }
}

function udpTableOf(low: number, high: number): string {
  return low === 0 && high === 0 ? '' : `${high}:${low}`;
}

function twReuseOf(value: number): PortSysctls['twReuse'] {
  return value === 1 || value === 2 ? value : 0;
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
