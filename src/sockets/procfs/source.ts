import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { KernelError } from '../../base/errors.ts';
import { netDirectory, openIfExists, streamFile } from '../../kernel/procfs.ts';
import { SocketRecord, TcpState, type Visit } from '../record.ts';
import type { SocketSource } from '../source.ts';
import type { Layout } from './fillRecord.ts';
import { TableParser } from './table.ts';

/** Walks are synchronous: one buffer serves those of every namespace. */
const BUFFER = new Uint8Array(64 * 1024);

/** Opens the socket tables of the calling thread's network namespace under `procfs`, or throws an ExporterError. */
export function openProcfsSource(procfs: string): SocketSource {
  return new ProcfsSource(procfs);
}

/**
 * The tables are opened once and read again for every walk. As with a netlink socket, an open table stays with the
 * namespace the thread was in when it was opened. A walk spans many read() calls, in between which sockets come and go:
 * one may be missing or seen twice.
 */
class ProcfsSource implements SocketSource {
  readonly kind = 'procfs';
  /** A socket that only did bind() is in no table of /proc/net. */
  readonly sees = { boundOnly: false, cgroups: false, ipv6Only: false };
  readonly tcpExplicitPorts = undefined;
  readonly tcpBinds = undefined;
  readonly beginRound = undefined;
  readonly openElsewhere = undefined;
  readonly holdersOf = undefined;
  readonly readSysctls = undefined;

  readonly #record = new SocketRecord();
  readonly #tcp: Table[] = [];
  readonly #udp: Table[] = [];

  readonly #procfs: string;

  constructor(procfs: string) {
    this.#procfs = procfs;
    const directory = netDirectory(procfs);
    try {
      this.#tcp.push(openTable(directory, 'tcp', { protocol: 'tcp', family: 4 }));
      this.#udp.push(openTable(directory, 'udp', { protocol: 'udp', family: 4 }));
      // A kernel booted without IPv6 has neither: no sockets, and nothing wrong.
      this.#tcp.push(...openTableIfExists(directory, 'tcp6', { protocol: 'tcp', family: 6 }));
      this.#udp.push(...openTableIfExists(directory, 'udp6', { protocol: 'udp', family: 6 }));
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  /** No table of /proc/net tells devices. */
  deviceName(index: number): string {
    return `if${index}`;
  }

  tcpListeners(visit: Visit): void {
    for (const table of this.#tcp) {
      // The kernel writes its listening hash first and the connections after it (tcp_seek_last_pos of
      // net/ipv4/tcp_ipv4.c): the first other state ends the listeners, and half a million lines need no reading.
      this.#walk(table, (record) => {
        if (record.state !== TcpState.LISTEN) return false;
        visit(record);
        return true;
      });
    }
  }

  tcpConnections(visit: Visit): void {
    for (const table of this.#tcp) {
      this.#walk(table, (record) => {
        if (record.state !== TcpState.LISTEN) visit(record);
        return true;
      });
    }
  }

  udp(visit: Visit): void {
    for (const table of this.#udp) {
      this.#walk(table, (record) => {
        visit(record);
        return true;
      });
    }
  }

  openAnother(): SocketSource {
    return new ProcfsSource(this.#procfs);
  }

  close(): void {
    for (const { fd } of [...this.#tcp.splice(0), ...this.#udp.splice(0)]) closeSync(fd);
  }

  #walk({ fd, path, layout }: Table, visit: (record: SocketRecord) => boolean): void {
    const parser = new TableParser(path, layout, this.#record, visit);
    streamFile(fd, path, BUFFER, (chunk) => parser.push(chunk));
    parser.end();
  }
}

interface Table {
  readonly fd: number;
  readonly path: string;
  readonly layout: Layout;
}

function openTable(directory: string, name: string, layout: Layout): Table {
  const [table] = openTableIfExists(directory, name, layout);
  if (table === undefined) throw new KernelError(`open() of ${directory}/${name}`, constants.errno.ENOENT);
  return table;
}

function openTableIfExists(directory: string, name: string, layout: Layout): Table[] {
  const path = `${directory}/${name}`;
  const fd = openIfExists(path);
  return fd === undefined ? [] : [{ fd, path, layout }];
}
