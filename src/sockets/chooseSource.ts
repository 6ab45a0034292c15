import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { openNetlinkSource } from './netlink/source.ts';
import { openProcfsSource } from './procfs/source.ts';
import type { SocketSource, SourceKind } from './source.ts';

/**
 * Opens the source that was asked for; with `auto` sock_diag, or /proc/net where netlink or the FFI library is refused.
 * Says in one line which it is. Throws an ExporterError where the one asked for, or both, cannot be opened.
 */
export function chooseSource(
  wanted: SourceKind | 'auto',
  procfs: string,
  log: Logger,
  openers: Openers = { netlink: () => openNetlinkSource(), procfs: openProcfsSource },
): SocketSource {
  if (wanted === 'procfs') return announced(openers.procfs(procfs), log);
  try {
    return announced(openers.netlink(), log);
  } catch (error) {
    if (wanted === 'netlink' || !(error instanceof ExporterError)) throw error;
    log.warn(
      'netlink refused, reading /proc/net instead: bound-only sockets and backlog limits stay unknown',
      {
        error: errorLine(error),
      },
    );
    return announced(openers.procfs(procfs), log);
  }
}

/** How each source is opened; a test puts a refusing one here. */
export interface Openers {
  readonly netlink: () => SocketSource;
  readonly procfs: (procfs: string) => SocketSource;
}

function announced(source: SocketSource, log: Logger): SocketSource {
  log.info('reading socket tables', {
    source: source.kind,
    bound_only_sockets: source.seesBoundOnly ? 'seen' : 'unknown',
  });
  return source;
}
