import { networkInterfaces } from 'node:os';
import { ExporterError, errorLine } from '../base/errors.ts';
import { ifReadable, isRefused } from '../base/ifReadable.ts';
import { dumpConntrack, NETLINK_NETFILTER } from '../conntrack/dump.ts';
import type { VisitConntrack } from '../conntrack/record.ts';
import { whyDenied } from '../kernel/capabilities.ts';
import { readConntrackCounts } from '../kernel/conntrackCounts.ts';
import { loadLibc } from '../kernel/libc.ts';
import { openNetlinkSocket } from '../kernel/netlink.ts';
import { readSysctl } from '../kernel/procfs.ts';
import { discoverNamespaces, netnsDirectoryOf } from '../namespaces/discover.ts';
import { NamespaceLabels } from '../namespaces/labels.ts';
import { NamespaceGone, NamespaceSwitcher, whyNoneIsEntered } from '../namespaces/namespaceSwitcher.ts';
import { ownNamespace } from '../namespaces/ownNamespace.ts';
import type { TrackedCounts } from '../snapshot/trackedCounts.ts';
import { identifyOwn } from './ownIdentity.ts';

/** A network namespace whose tracked connections are asked for once. */
export interface TrackedNamespace {
  readonly netns: string;
  /** A file to enter it by; undefined for the one that this thread is in. */
  readonly path: string | undefined;
  readonly isOwn: boolean;
  /** Its own addresses, but for loopback and link-local ones; none where it is gone. */
  addresses(): readonly string[];
  /** What it costs nothing to know; undefined where nothing is tracked, or the namespace is gone. */
  look(): TrackedCounts | undefined;
  /**
   * Every entry, in one walk of the host's table. Throws an ExporterError where that is not permitted, or not all could be
   * read.
   */
  walk(visit: VisitConntrack): void;
}

/** The namespace of this thread, and others where it may enter them. */
export class TrackedNamespaces {
  readonly own: TrackedNamespace;
  /** A text: why none of them can be entered. */
  readonly others: readonly TrackedNamespace[] | string;
  /** Namespaces there are beside the own one, as far as that is seen. */
  readonly otherCount: number;
  readonly #switcher: NamespaceSwitcher | undefined;

  /** Throws an ExporterError where /proc does not tell. */
  constructor(procfs: string) {
    const thread = ownNamespace(procfs);
    const labels = new NamespaceLabels(procfs);
    const { found } = discoverNamespaces(procfs, netnsDirectoryOf(procfs));
    const { own } = identifyOwn(labels, found, thread);
    const here = <T>(act: () => T) => act();
    this.own = new OpenNamespace({ netns: own.netns, path: undefined, isOwn: true }, procfs, here);
    const elsewhere = found.filter(({ inode }) => inode !== own.inode);
    this.otherCount = elsewhere.length;
    const switcher = openSwitcher(procfs);
    this.#switcher = typeof switcher === 'string' ? undefined : switcher;
    this.others =
      typeof switcher === 'string'
        ? switcher
        : labels.inOrder(elsewhere).map((one) => {
            const { netns } = labels.identify(one);
            const inside = <T>(act: () => T) => switcher.run(one, act);
            return new OpenNamespace({ netns, path: one.path, isOwn: false }, procfs, inside);
          });
  }

  close(): void {
    this.#switcher?.close();
  }
}

function openSwitcher(procfs: string): NamespaceSwitcher | string {
  try {
    return new NamespaceSwitcher(loadLibc(), procfs);
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    return `entering other network namespaces: ${whyNoneIsEntered(error)}`;
  }
}

class OpenNamespace implements TrackedNamespace {
  readonly netns: string;
  readonly path: string | undefined;
  readonly isOwn: boolean;
  readonly #procfs: string;
  readonly #inside: <T>(act: () => T) => T;

  constructor(
    { netns, path, isOwn }: Pick<TrackedNamespace, 'netns' | 'path' | 'isOwn'>,
    procfs: string,
    inside: <T>(act: () => T) => T,
  ) {
    this.netns = netns;
    this.path = path;
    this.isOwn = isOwn;
    this.#procfs = procfs;
    this.#inside = inside;
  }

  addresses(): readonly string[] {
    return this.#unlessGone(ownAddresses) ?? [];
  }

  look(): TrackedCounts | undefined {
    return this.#unlessGone(() => {
      const counts = readConntrackCounts(this.#procfs);
      if (counts === undefined) return undefined;
      const { entries, limit, cpus } = counts;
      return {
        ...{ entries, limit, timeWaitSeconds: readTimeWait(this.#procfs) },
        insertFailed: cpus?.reduce((sum, cpu) => sum + cpu.insert_failed, 0),
      };
    });
  }

  walk(visit: VisitConntrack): void {
    try {
      this.#unlessGone(() => dumpConntrack(() => openNetlinkSocket(loadLibc(), NETLINK_NETFILTER), visit));
    } catch (error) {
      if (!(error instanceof ExporterError) || !isRefused(error.cause)) throw error;
      const why = `${whyDenied(['CAP_NET_ADMIN'])}: ${errorLine(error)}`;
      throw new ExporterError(`tracked connections of ${this.netns}: ${why}`);
    }
  }

  /** Nobody is left there whose ports could run out. */
  #unlessGone<T>(act: () => T): T | undefined {
    try {
      return this.#inside(act);
    } catch (error) {
      if (error instanceof NamespaceGone) return undefined;
      throw error;
    }
  }
}

function readTimeWait(procfs: string): number | undefined {
  const text = ifReadable(() => readSysctl(procfs, 'net/netfilter/nf_conntrack_tcp_timeout_time_wait'));
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function ownAddresses(): string[] {
  return Object.values(ifReadable(networkInterfaces) ?? {})
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^(?:127\.|::1$|fe80:)/.test(address));
}
