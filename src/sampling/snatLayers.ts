import type { SnatExplained } from '../aggregate/snatHolders.ts';
import type { AssumedPorts } from '../aggregate/snatPorts.ts';
import { ExporterError, errorLine } from '../base/errors.ts';
import { type SnatQuestion, snatTowards, worstFirst } from './askSnat.ts';
import type { TrackedNamespace, TrackedNamespaces } from './trackedNamespaces.ts';

/** A NAT that connections of a namespace pass on their way to a destination, or would. */
export interface SnatLayer {
  /** Whose NAT it is. */
  readonly netns: string;
  readonly explained: SnatExplained;
  /** Connections of the namespace pass it; false: those of others do. */
  readonly isPassed: boolean;
}

export interface SnatLayers {
  /** Those that drop most packets first. Where some are passed, no others. */
  readonly layers: readonly SnatLayer[];
  /** Why not every namespace was looked into; undefined where nothing kept it from being. */
  readonly refusal: string | undefined;
}

/** Anybody may make namespaces, and fill the table that each walk goes through. */
const BUDGET_MS = 5_000;

/** Which NATs, of all namespaces, translate TCP connections of a namespace to a destination. */
export function snatLayers(
  namespaces: Pick<TrackedNamespaces, 'own' | 'others' | 'otherCount'>,
  netns: string,
  destination: SnatQuestion['destination'],
  assumed: AssumedPorts,
  budgetMs = BUDGET_MS,
): SnatLayers {
  const end = performance.now() + budgetMs;
  const { own, others, otherCount } = namespaces;
  const known = typeof others === 'string' ? [own] : [own, ...others];
  const refusals = typeof others === 'string' && otherCount > 0 ? [others] : [];
  const clients = known.find((one) => one.netns === netns)?.addresses() ?? [];
  const layers: SnatLayer[] = [];
  for (const [index, namespace] of known.entries()) {
    if (index > 0 && performance.now() >= end) {
      refusals.push(
        `${known.length - index} of ${known.length} network namespaces are left after ${budgetMs / 1000} s`,
      );
      break;
    }
    try {
      layers.push(...layersOf(namespace, { destination, clients, protocols: ['tcp'] }, assumed));
    } catch (error) {
      if (!(error instanceof ExporterError)) throw error;
      refusals.push(errorLine(error));
    }
  }
  const passed = layers.filter(({ isPassed }) => isPassed);
  return {
    layers: (passed.length > 0 ? passed : layers).toSorted((a, b) => worstFirst(a.explained, b.explained)),
    refusal: refusals[0],
  };
}

/** A walk takes some milliseconds, a look none: nothing is walked where nothing is tracked. */
function layersOf(namespace: TrackedNamespace, question: SnatQuestion, assumed: AssumedPorts): SnatLayer[] {
  const { netns } = namespace;
  if ((namespace.look()?.entries ?? 0) === 0) return [];
  const { keys } = snatTowards(namespace, question, assumed);
  return keys.map(({ explained, ofClients }) => ({ netns, explained, isPassed: ofClients > 0 }));
}
