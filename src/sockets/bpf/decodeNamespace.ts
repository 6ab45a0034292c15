import type { PortSysctls } from '../../kernel/sysctl.ts';
import { byteOf } from './recordStore.ts';

/** A network namespace as `src/kernel/bpf/namespaces.bpf.c` tells of it. */
export interface TableNamespace {
  /** No other namespace ever has it. */
  readonly cookie: string;
  /** All but the reserved ports. */
  readonly sysctls: Omit<PortSysctls, 'reserved'>;
  readonly reservesPorts: boolean;
  /** It has a connection table of its own (net.ipv4.tcp_child_ehash_entries). */
  readonly hasOwnTable: boolean;
  /** The same for all that share one; '' where the kernel does not tell. */
  readonly udpTable: string;
  /** Sysctls in jiffies. */
  readonly finTimeout: number;
  readonly keepaliveInterval: number;
  /** Lower and upper half of its struct net. */
  readonly net: readonly [number, number];
}

const FLAG_OWN_TABLE = 16;
const FLAG_RESERVES = 32;

/** Words of `struct record`. */
const PORTS = 1;
const DEVICE = 3;
const LOCAL = 4;
const REMOTE = 8;
const INODE = 12;
const CGROUP = 13;

export function decodeNamespace(words: Int32Array, at: number): TableNamespace {
  const word = (index: number) => (words[at + index] as number) >>> 0;
  const flags = byteOf(word(0), 2);
  const twReuse = word(LOCAL);
  return {
    cookie: textOf(word(CGROUP), word(CGROUP + 1)),
    sysctls: {
      range: { first: word(PORTS) & 0xffff, last: word(PORTS) >>> 16 },
      twReuse: twReuse === 1 || twReuse === 2 ? twReuse : 0,
      timestamps: word(LOCAL + 1) !== 0,
      l3mdevAccept: word(LOCAL + 2) !== 0,
      twReuseDelayMs: word(LOCAL + 3),
    },
    reservesPorts: (flags & FLAG_RESERVES) !== 0,
    hasOwnTable: (flags & FLAG_OWN_TABLE) !== 0,
    udpTable: textOf(word(INODE), word(DEVICE)),
    finTimeout: word(REMOTE),
    keepaliveInterval: word(REMOTE + 1),
    net: [word(REMOTE + 2), word(REMOTE + 3)],
  };
}

/** '' for 0. */
function textOf(low: number, high: number): string {
  return low === 0 && high === 0 ? '' : `${high}:${low}`;
}
