import { ExporterError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { loadBpf } from '../../kernel/bpf.ts';
import { bpfBlobFile, readBpfBlob } from '../../kernel/bpfBlob.ts';
import { expectBpf, whyRefused } from '../../kernel/bpfRefusal.ts';
import { type Libc, loadLibc } from '../../kernel/libc.ts';
import { openNetlinkSource } from '../netlink/source.ts';
import type { SocketSource, SourceOptions } from '../source.ts';
import { BpfHost } from './bpfHost.ts';
import { HostTables } from './hostTables.ts';

import { BpfSource } from './source.ts';
import { TableWalker } from './walk.ts';

/** The kernel's own, and not where the host's is mounted in a container: BTF is the same in both, and there it need not be. */
const SYSFS = '/sys';

/**
 * The kernel's own tables by BPF: all namespaces in one walk, and what no dump tells. Where a walk fails they are read over
 * netlink. Throws an ExporterError where BPF or netlink is refused.
 */
export function openBpfSource({ procfs, log }: SourceOptions, libc: Libc = loadLibc()): SocketSource {
  const tables = openTables(log, libc);
  try {
    const { inode, isPernet } = tables.identify();
    // Where this namespace has a table of its own, a walk of it is not one of the host.
    if (isPernet)
      throw new ExporterError(
        'this network namespace has a connection table of its own (net.ipv4.tcp_child_ehash_entries)',
      );
    const netlink = openNetlinkSource(libc);
    const host = new BpfHost(tables, { procfs, libc, inode, netlinkShowsBoundOnly: netlink.sees.boundOnly });
    return new BpfSource(host, inode, (act) => act(), netlink);
  } catch (error) {
    tables.close();
    throw error;
  }
}

function openTables(log: Logger, libc: Libc): HostTables {
  expectBpf(SYSFS);
  const blob = readBpfBlob(bpfBlobFile('tables'));
  try {
    return new HostTables(new TableWalker(loadBpf(blob, libc)), log);
  } catch (error) {
    throw whyRefused(error, SYSFS);
  }
}
