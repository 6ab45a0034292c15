import { ExporterError, errorLine } from '../base/errors.ts';
import { isShortage } from '../base/ifReadable.ts';
import { openBpfSource } from './bpf/openBpfSource.ts';
import { openNetlinkSource } from './netlink/source.ts';
import { openProcfsSource } from './procfs/source.ts';
import { SOURCE_KINDS, type SocketSource, type SourceKind, type SourceOptions } from './source.ts';

/** How each source is opened in the namespace of the calling thread. Throws an ExporterError where it is refused. */
export type Openers = Readonly<Record<SourceKind, (options: SourceOptions) => SocketSource>>;

const SOURCES: Readonly<Record<SourceKind, Source>> = {
  bpf: { open: (options) => openBpfSource(options), instead: 'BPF' },
  netlink: { open: () => openNetlinkSource(), instead: 'sock_diag' },
  procfs: {
    open: ({ procfs }) => openProcfsSource(procfs),
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
  options: SourceOptions,
  openers: Partial<Openers> = {},
): SocketSource {
  const { log } = options;
  const kinds = wanted === 'auto' ? SOURCE_KINDS : [wanted];
  let whyNotBpf: string | undefined;
  const open = (kind: SourceKind) => (openers[kind] ?? SOURCES[kind].open)(options);
  const source = firstOf(kinds, open, (kind, next, error) => {
    // Most machines run the exporter without the privilege: that is no reason to warn.
    if (kind === 'bpf') whyNotBpf = errorLine(error);
    else
      log.warn(`${kind} unavailable, falling back to ${SOURCES[next].instead}`, { error: errorLine(error) });
  });
  log.info('reading socket tables', {
    source: source.kind,
    bound_only_sockets: source.sees.boundOnly ? 'seen' : 'unknown',
    ...(whyNotBpf === undefined ? {} : { bpf_unavailable: whyNotBpf }),
  });
  return source;
}

function firstOf(
  [kind, ...others]: readonly SourceKind[],
  open: (kind: SourceKind) => SocketSource,
  onRefused: (kind: SourceKind, next: SourceKind, error: ExporterError) => void,
): SocketSource {
  if (kind === undefined) throw new Error('no source to open');
  try {
    return open(kind);
  } catch (error) {
    const [next] = others;
    // A shortage passes, and the other source would stay.
    if (next === undefined || !(error instanceof ExporterError) || isShortage(error)) throw error;
    onRefused(kind, next, error);
    return firstOf(others, open, onRefused);
  }
}
