import type { Destination } from '../aggregate/destinations.ts';
import { ExporterError } from '../base/errors.ts';
import { isRefused, isShortage } from '../base/ifReadable.ts';
import type { Logger } from '../base/logger.ts';
import { holds } from '../kernel/capabilities.ts';
import { bootTimeMs } from '../kernel/clock.ts';
import { type Libc, loadLibc } from '../kernel/libc.ts';
import type { Recorder } from '../kernel/recorder.ts';
import { readPortSysctls } from '../kernel/sysctl.ts';
import { type Clock, threadCpuClock } from '../kernel/threadCpu.ts';
import { discoverNamespaces, netnsDirectoryOf } from '../namespaces/discover.ts';
import { type NamespaceIdentity, NamespaceLabels } from '../namespaces/labels.ts';
import { NamespaceSwitcher, whyNoneIsEntered } from '../namespaces/namespaceSwitcher.ts';
import { type OwnNamespace, ownNamespace } from '../namespaces/ownNamespace.ts';
import type { SocketProcesses } from '../owners/socketProcesses.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { chooseSource } from '../sockets/chooseSource.ts';
import { openNetlinkSource } from '../sockets/netlink/source.ts';
import type { SocketSource } from '../sockets/source.ts';
import { ConntrackReader } from './conntrackReader.ts';
import { NamespaceRegistry } from './namespaceRegistry.ts';
import { openCanary } from './openCanary.ts';
import { OwnerResolver } from './ownerResolver.ts';
import { identifyOwn } from './ownIdentity.ts';
import type { RefusalNames } from './refusalReports.ts';
import { SampledHost, type SampledHostOptions } from './sampledHost.ts';
import type { SamplingOptions } from './samplingOptions.ts';

/** Takes samples on the calling thread. */
export interface SamplingSession {
  /** One whole sample, synchronously. Failures of collectors are in it; anything thrown is a defect. */
  sample(): Snapshot;
  /**
   * Who held the ports of these destinations of a namespace in the last sample, in their order. The options must keep
   * connections.
   */
  holdersOf(netns: string, destinations: readonly Destination[]): NamedHolders[];
  /** Which processes hold those ports, as far as that is found out within the budget. */
  processesOf(holders: NamedHolders, budgetMs: number): SocketProcesses;
  /** Names for what the kernel tells by numbers, as of the last sample. */
  readonly names: RefusalNames;
  /** A file to enter a sampled namespace by; undefined for the host's where it is the own one. */
  pathOf(netns: string): string | undefined;
  close(): void;
}

/**
 * Opens what sampling needs. Throws an ExporterError where nothing can be sampled.
 *
 * @param cpuTime of the calling thread
 * @param recorder records what the kernel says of the own namespace, until its first sample is taken
 */
export function openSession(
  options: SamplingOptions,
  log: Logger,
  { cpuTime = threadCpuClock(), recorder }: { cpuTime?: Clock; recorder?: Recorder | undefined } = {},
): SamplingSession {
  const { procfs } = options;
  const openLibc = () => recorder?.tap(loadLibc()) ?? loadLibc();
  const thread = ownNamespace(procfs);
  // A range that cannot be read now will not be readable later: a wrong --path.procfs, or no proc at all.
  readPortSysctls(procfs);
  const source = chooseSource(
    options.source,
    { procfs, log },
    {
      netlink: () => openNetlinkSource(openLibc()),
      ...(recorder && { bpf: notRecorded }),
    },
  );
  try {
    return openWith(source, options, log, { cpuTime, recorder, openLibc, ...thread });
  } catch (error) {
    source.close();
    throw error;
  }
}

function openWith(
  source: SocketSource,
  options: SamplingOptions,
  log: Logger,
  {
    inode,
    name,
    cpuTime,
    recorder,
    openLibc,
  }: OwnNamespace & { cpuTime: Clock; recorder: Recorder | undefined; openLibc: () => Libc },
): SamplingSession {
  const { procfs } = options;
  const labels = new NamespaceLabels(procfs);
  const { found } = discoverNamespaces(procfs, netnsDirectoryOf(procfs));
  const { own, path: ownPath } = identifyOwn(labels, found, { inode, name });
  const ownerResolver = new OwnerResolver(options, log);
  const host = new SampledHost({
    ...{ cpuTime, options, own, source, ownerResolver },
    others: openOthers(options, source, labels, own),
    newCanary: openCanary(options, source, openLibc, log),
    conntrack: new ConntrackReader(log),
    afterOwn: recorder && (() => recorder.stop()),
  });
  return {
    sample() {
      const startedAt = performance.now();
      const startedCpu = cpuTime();
      const { namespaces, found, omitted, unlistedConnections } = host.sample();
      const cpuMs = cpuTime() - startedCpu;
      const durationMs = performance.now() - startedAt;
      return {
        timestampMs: Date.now(),
        completedAtMs: bootTimeMs(),
        durationSeconds: durationMs / 1000,
        intervalSeconds: guardedIntervalMs(options, cpuMs) / 1000,
        configuredIntervalSeconds: options.intervalMs / 1000,
        source: source.kind,
        namespaces,
        namespacesFound: found,
        namespacesOmitted: omitted,
        unlistedConnections,
      };
    },
    holdersOf: (netns, destinations) => host.holdersOf(netns, destinations),
    processesOf: (holders, budgetMs) => host.processesOf(holders, budgetMs),
    names: {
      netnsOf: (inode, kernelId) => host.netnsOf(inode, kernelId),
      ownerOf: (cgroupId) => ownerResolver.ownerOf(cgroupId),
    },
    pathOf: (netns) => (netns === own.netns ? ownPath : host.pathOf(netns)),
    close: () => host.close(),
  };
}

function notRecorded(): never {
  throw new ExporterError('a recording holds the answers of netlink');
}

function openOthers(
  options: SamplingOptions,
  source: SocketSource,
  labels: NamespaceLabels,
  own: NamespaceIdentity,
): SampledHostOptions['others'] {
  const { namespaces, procfs } = options;
  if (namespaces === 'self') return undefined;
  const switcher = openSwitcher(procfs);
  // One that cannot read them from outside has nothing to do with them.
  if (typeof switcher === 'string' && source.openElsewhere === undefined) return switcher;
  const registry = new NamespaceRegistry({
    procfs,
    netnsDirectory: netnsDirectoryOf(procfs),
    labels,
    own,
    wanted: namespaces === 'all' ? undefined : namespaces,
  });
  return { switcher, registry };
}

/** A text: why namespaces cannot be entered. */
function openSwitcher(procfs: string): NamespaceSwitcher | string {
  try {
    return new NamespaceSwitcher(loadLibc(), procfs);
  } catch (error) {
    // A shortage would else be taken for a refusal as long as the session lasts.
    if (!(error instanceof ExporterError) || isShortage(error)) throw error;
    const remedy =
      isRefused(error) && !holds('CAP_SYS_ADMIN') ? 'AmbientCapabilities= in a systemd unit grants it, ' : '';
    return (
      `only the own network namespace is sampled: entering others: ${whyNoneIsEntered(error)}; ` +
      `${remedy}--namespaces=self disables this`
    );
  }
}

/** Timers count in 31 bits of milliseconds; a longer one would fire at once. */
const LONGEST_INTERVAL_MS = 24 * 60 * 60 * 1000;

/**
 * The interval, stretched so that a sample of so much CPU time takes no more than `maxDuty` of it; but never beyond the peak
 * window, which would then miss what happens between two samples.
 */
export function guardedIntervalMs(
  { intervalMs, maxDuty, peakWindowMs }: Pick<SamplingOptions, 'intervalMs' | 'maxDuty' | 'peakWindowMs'>,
  cpuMs: number,
): number {
  const longest = Math.min(Math.max(intervalMs, peakWindowMs), LONGEST_INTERVAL_MS);
  return Math.min(Math.max(intervalMs, cpuMs / maxDuty), longest);
}
