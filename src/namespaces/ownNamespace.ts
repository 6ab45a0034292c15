import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, failureText } from '../base/errors.ts';
import { isAbsent, isRefused } from '../base/ifReadable.ts';
import { parseNamespaceLink } from './discover.ts';

/** A sysctl that only the initial network namespace has (net/core/sysctl_net_core.c: not in `netns_core_table`). */
const INITIAL_NAMESPACE_ONLY = 'sys/net/core/netdev_max_backlog';

/** The network namespace of the calling thread. */
export interface OwnNamespace {
  readonly inode: number;
  /** `host` where PID 1 lives in it; undefined where it is not the host's. */
  readonly name: 'host' | undefined;
}

/** Throws an ExporterError where /proc does not tell. */
export function ownNamespace(procfs: string): OwnNamespace {
  const own = readNamespaceLink(procfs, 'thread-self') ?? readNamespaceLink(procfs, 'self');
  if (own === undefined) {
    throw new ExporterError(
      `readlink() of ${join(procfs, 'self/ns/net')}: no such file or directory (ENOENT), expected a mounted proc filesystem`,
    );
  }
  const inode = parseNamespaceLink(own);
  if (inode === undefined)
    throw new ExporterError(`readlink() of ${join(procfs, 'self/ns/net')}: got "${own}"`);
  return { inode, name: isHost(procfs, own) ? 'host' : undefined };
}

/** Only a privileged reader sees PID 1's link; to anyone else the initial namespace shows by what it alone has. */
function isHost(procfs: string, own: string): boolean {
  const host = readNamespaceLink(procfs, '1', isHidden);
  return host === undefined ? existsSync(join(procfs, INITIAL_NAMESPACE_ONLY)) : host === own;
}

/** What a process of somebody else is to a reader without privilege. */
function isHidden(error: unknown): boolean {
  return isAbsent(error) || isRefused(error);
}

function readNamespaceLink(procfs: string, pid: string, isExpected = isAbsent): string | undefined {
  const path = join(procfs, pid, 'ns/net');
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isExpected(error)) return undefined;
    throw new ExporterError(`readlink() of ${path}: ${failureText(error)}`);
  }
}
