import { readlinkSync } from 'node:fs';
import { ifReadable } from '../../base/ifReadable.ts';
import type { Libc } from '../../kernel/libc.ts';
import type { TableNamespace } from './decodeNamespace.ts';
import type { HostTables } from './hostTables.ts';
import { ticksPerSecond } from './ticks.ts';

/** What the sources of all network namespaces share. */
export class BpfHost {
  readonly tables: HostTables;
  readonly libc: Libc;
  readonly netlinkShowsBoundOnly: boolean;
  readonly #procfs: string;
  /** Of the namespace that this process is in, whose tables are walked. */
  readonly #inode: number;
  #ticksPerSecond: number | undefined;
  #showsOwnPids: boolean | undefined;

  constructor(
    tables: HostTables,
    own: {
      readonly procfs: string;
      readonly libc: Libc;
      readonly inode: number;
      readonly netlinkShowsBoundOnly: boolean;
    },
  ) {
    this.tables = tables;
    this.libc = own.libc;
    this.netlinkShowsBoundOnly = own.netlinkShowsBoundOnly;
    this.#procfs = own.procfs;
    this.#inode = own.inode;
  }

  /** CONFIG_HZ, found out once: by the sysctls of the own namespace, which the calling thread is in. */
  ticksPerSecond(): number {
    const own = this.tables.namespaceOf(this.#inode);
    this.#ticksPerSecond ??= ticksPerSecond(this.#procfs, own ?? { finTimeout: 0, keepaliveInterval: 0 });
    return this.#ticksPerSecond;
  }

  /** Whether the pids of the tables are those of proc: in a container that shows the host's they are not. */
  get showsOwnPids(): boolean {
    this.#showsOwnPids ??= ifReadable(() => readlinkSync(`${this.#procfs}/self`)) === String(process.pid);
    return this.#showsOwnPids;
  }

  /** Whether its UDP sockets are in the table that is walked. */
  hasUdpOf({ udpTable }: TableNamespace): boolean {
    return udpTable !== '' && udpTable === this.tables.namespaceOf(this.#inode)?.udpTable;
  }

  /** The source of a namespace is closed: with the own one, which is the last, the tables are. */
  close(inode: number): void {
    if (inode === this.#inode) this.tables.close();
  }
}
