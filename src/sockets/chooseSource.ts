import { ExporterError, errorLine } from '../base/errors.ts';
import { isShortage } from '../base/ifReadable.ts';
import type { Logger } from '../base/logger.ts';
import { openNetlinkSource } from './netlink/source.ts';
import { openProcfsSource } from './procfs/source.ts';
import { SOURCE_KINDS, type SocketSource, type SourceKind } from './source.ts';

/** How each source is opened in the namespace of the calling thread. Throws an ExporterError where it is refused. */
export type Openers = Readonly<Record<SourceKind, (procfs: string) => SocketSource>>;

const SOURCES: Readonly<Record<SourceKind, Source>> = {
  netlink: { open: () => openNetlinkSource(), instead: 'sock_diag' },
  procfs: {
    open: openProcfsSource,
    instead: '/proc/net: bound-only sockets and accept queue limits are unknown',
  },
};

interface Source {
  readonly open: Openers[SourceKind];
  /** What the log says is read, where the source before it was refused. */
  readonly instead: string;
}

/**
 * Opens the source that was asked for; with `auto` the first of SOURCE_KINDS that is not refused. Says in one line which it
 * is. Throws an ExporterError where the one asked for, or each of them, cannot be opened, and where descriptors or memory are
 * short.
 *
 * @param openers those to use in place of the usual ones
 */
export function chooseSource(
  wanted: SourceKind | 'auto',
  procfs: string,
  log: Logger,
  openers: Partial<Openers> = {},
): SocketSource {
  const kinds = wanted === 'auto' ? SOURCE_KINDS : [wanted];
  const source = firstOf(kinds, (kind) => (openers[kind] ?? SOURCES[kind].open)(procfs), log);
  log.info('reading socket tables', {
    source: source.kind,
    bound_only_sockets: source.sees.boundOnly ? 'seen' : 'unknown',
  });
  return source;
}

function firstOf(
  [kind, ...others]: readonly SourceKind[],
  open: (kind: SourceKind) => SocketSource,
  log: Logger,
): SocketSource {
  if (kind === undefined) throw new Error('no source to open');
  try {
    return open(kind);
  } catch (error) {
    const [next] = others;
    // A shortage passes, and the other source would stay.
    if (next === undefined || !(error instanceof ExporterError) || isShortage(error)) throw error;
    log.warn(`${kind} unavailable, falling back to ${SOURCES[next].instead}`, { error: errorLine(error) });
    return firstOf(others, open, log);
  }
}
