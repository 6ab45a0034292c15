import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorCode } from '../base/errors.ts';

/** A sysctl that only the initial network namespace has (net/core/sysctl_net_core.c: not in `netns_core_table`). */
const INITIAL_NAMESPACE_ONLY = 'sys/net/core/netdev_max_backlog';

/**
 * What the network namespace of the calling thread is called: `host` where PID 1 lives in it, else `net:[inode]` as
 * namespaces(7) prints it. Throws an ExporterError where /proc does not tell.
 */
export function ownNamespace(procfs: string): string {
  const own =
    readNamespaceLink(join(procfs, 'thread-self/ns/net')) ?? readNamespaceLink(join(procfs, 'self/ns/net'));
  if (own === undefined) {
    throw new ExporterError(
      `readlink() of ${join(procfs, 'self/ns/net')}: not there, expected a mounted proc filesystem`,
    );
  }
  return isHost(procfs, own) ? 'host' : own;
}

/** Only a privileged reader sees PID 1's link; to anyone else the initial namespace shows by what it alone has. */
function isHost(procfs: string, own: string): boolean {
  const host = readNamespaceLink(join(procfs, '1/ns/net'));
  return host === undefined ? existsSync(join(procfs, INITIAL_NAMESPACE_ONLY)) : host === own;
}

function readNamespaceLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM', 'EINVAL', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw new ExporterError(`readlink() of ${path}`, { cause: error });
  }
}
