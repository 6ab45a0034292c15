import { ExporterError, errorLine } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { loadLibc } from '../kernel/libc.ts';
import { NamespaceSwitcher, whyNoneIsEntered } from '../namespaces/namespaceSwitcher.ts';
import type { Report } from '../reports/report.ts';
import { openRefusalReports } from '../sampling/refusalReports.ts';
import type { SamplingOptions } from '../sampling/samplingOptions.ts';
import { openSession, type SamplingSession } from '../sampling/session.ts';
import { snatLayers } from '../sampling/snatLayers.ts';
import { TrackedNamespaces } from '../sampling/trackedNamespaces.ts';
import { CollectorReporter } from '../supervisor/collectorReporter.ts';
import { openLog } from './log.ts';
import { ALL, beginInNetns, enterNetns } from './netns.ts';
import type { Asked, Query } from './query.ts';
import { quietUnlessAsked } from './quietUnlessAsked.ts';
import { isWhole, whole } from './wholeNamespace.ts';

/** Opens what the question needs, asks it, and closes that. Throws an ExporterError where it cannot be asked. */
export async function answer({ options, netns, connects, ask }: Query): Promise<Report> {
  const { sampling } = options;
  const { procfs } = sampling;
  if (connects) beginInNetns(netns, procfs);
  const isAll = netns === ALL;
  if (isAll) mayEnter(procfs);
  const entered = netns === undefined || isAll || connects ? undefined : enterNetns(netns, procfs)?.path;
  const log = openLog(quietUnlessAsked(options));
  const session = openSession(isAll ? everywhere(sampling) : sampling, log);
  try {
    return await ask(askedOf(session, sampling, { isAll, entered, log }));
  } finally {
    session.close();
  }
}

/** Whoever asks waits for all of it. */
function everywhere(sampling: SamplingOptions): SamplingOptions {
  return {
    ...sampling,
    namespaces: 'all',
    namespacesLimit: Number.MAX_SAFE_INTEGER,
    fullDumpAbove: 0,
    hasBudget: false,
  };
}

function askedOf(
  session: SamplingSession,
  sampling: SamplingOptions,
  { isAll, entered, log }: { isAll: boolean; entered: string | undefined; log: Logger },
): Asked {
  const reporter = new CollectorReporter(log);
  return {
    isAll,
    session,
    sample() {
      const snapshot = session.sample();
      reporter.report(snapshot);
      const [own, ...others] = snapshot.namespaces;
      return [whole(own), ...others];
    },
    countRefusals(netns) {
      const { netnsOf, ownerOf } = session.names;
      const only: typeof netnsOf = (inode, kernelId) =>
        netnsOf(inode, kernelId) === netns ? netns : undefined;
      return openRefusalReports(sampling, { netnsOf: only, ownerOf }, silentLogger);
    },
    pathOf: (netns) => entered ?? session.pathOf(netns),
    snatLayers(netns, destination, assumed) {
      const namespaces = new TrackedNamespaces(sampling.procfs);
      try {
        return snatLayers(namespaces, netns, destination, assumed);
      } finally {
        namespaces.close();
      }
    },
    lookElsewhere(find) {
      try {
        mayEnter(sampling.procfs);
      } catch (error) {
        return errorLine(error);
      }
      const all = openSession(everywhere(sampling), silentLogger);
      try {
        const [, ...others] = all.sample().namespaces;
        return find(others.filter(isWhole));
      } finally {
        all.close();
      }
    },
  };
}

/** Throws an ExporterError where this thread may not enter other namespaces. */
function mayEnter(procfs: string): void {
  try {
    new NamespaceSwitcher(loadLibc(), procfs).close();
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    throw new ExporterError(`entering other network namespaces: ${whyNoneIsEntered(error)}`);
  }
}
