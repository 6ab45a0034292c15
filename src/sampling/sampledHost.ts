import type { Destination } from '../aggregate/destinations.ts';
import { Destinations } from '../aggregate/destinations.ts';
import type { Listener } from '../aggregate/listeners.ts';
import { ExporterError, errorLine } from '../base/errors.ts';
import { netDirectory } from '../kernel/procfs.ts';
import { readSocketTotals, type SocketTotals } from '../kernel/sockstat.ts';
import type { Clock } from '../kernel/threadCpu.ts';
import type { NamespaceIdentity } from '../namespaces/labels.ts';
import { NamespaceGone, type NamespaceSwitcher, OtherKind } from '../namespaces/namespaceSwitcher.ts';
import type { SocketProcesses } from '../owners/socketProcesses.ts';
import type { Protocol } from '../snapshot/protocol.ts';
import type { CollectorOutcome, NamespaceSample, NamespaceSnapshot } from '../snapshot/snapshot.ts';
import type { SocketSource } from '../sockets/source.ts';
import type { Canary } from './canary.ts';
import { collect } from './collect.ts';
import { type ForeignNamespace, isDue } from './foreignNamespace.ts';
import type { NamedHolders } from './namedHolders.ts';
import type { NamespaceRegistry } from './namespaceRegistry.ts';
import type { OwnerResolver } from './ownerResolver.ts';
import { SampledNamespace } from './sampledNamespace.ts';
import type { SamplingOptions } from './samplingOptions.ts';
import { shareLimits } from './shareLimits.ts';
import { WalkTurns } from './walkTurns.ts';

/** What sampling needs that is opened once. */
export interface SampledHostOptions {
  readonly settings: SamplingOptions;
  readonly own: NamespaceIdentity;
  readonly source: SocketSource;
  readonly ownership: OwnerResolver;
  /** undefined: only the own namespace is wanted. A text: why others cannot be entered. */
  readonly others: Others | string | undefined;
  /** Opens a source in the namespace that the calling thread is in. */
  readonly openSource: () => SocketSource;
  /** CPU time of the thread that samples. */
  readonly cpuTime: Clock;
  /** One for a namespace; undefined: the kernel is not asked. */
  readonly newCanary: (() => Canary) | undefined;
  /** Called when the own namespace is sampled, before any other is looked at. */
  readonly afterOwn?: (() => void) | undefined;
}

/** What it takes to sample other namespaces. */
export interface Others {
  readonly switcher: NamespaceSwitcher;
  readonly registry: NamespaceRegistry;
}

/** One round: the own namespace is the first. */
export interface HostSample {
  readonly namespaces: NamespaceSnapshot[];
  /** Namespaces there are, wanted or not. */
  readonly found: number;
  /** Of the wanted ones, those left out because of the limit. */
  readonly omitted: number;
}

/** Samples the own network namespace, and others at little more cost. */
export class SampledHost {
  readonly #parts: SampledHostOptions;
  /** The one large part of a sample: namespaces use it one after the other. */
  readonly #destinations = new Destinations();
  readonly #own: SampledNamespace;
  /** The own namespace has all for itself; so has each where nobody waits for the round to end. */
  readonly #walkTurns: WalkTurns | undefined;

  constructor(parts: SampledHostOptions) {
    this.#parts = parts;
    this.#walkTurns = parts.settings.hasBudget ? new WalkTurns() : undefined;
    this.#own = this.#newSampler(parts.source);
  }

  /** One round. */
  sample(): HostSample {
    const { ownership, own, others, settings, cpuTime } = this.#parts;
    const startedCpu = cpuTime();
    ownership.beginRound();
    const sample = this.#own.sample();
    this.#parts.afterOwn?.();
    const finding = findOthers(others);
    const collectors = finding === undefined ? sample.collectors : [...sample.collectors, finding];
    const samples: [NamespaceIdentity, NamespaceSample][] = [[own, { ...sample, collectors }]];
    const registry = typeof others === 'object' ? others.registry : undefined;
    const members = registry?.members ?? [];
    const chosen = this.#chooseLargest(members);
    const surveyed = this.#surveyAll(chosen);
    this.#dumpDue(surveyed, startedCpu);
    for (const { identity, latest } of surveyed) {
      if (latest !== undefined) samples.push([identity, latest]);
    }
    const shared = shareLimits(samples, settings.limits);
    const processes = this.#lookUpProcesses(shared);
    return {
      namespaces: this.#describe(withOutcomeOfOwn(shared, processes)),
      found: 1 + (registry?.size ?? 0),
      omitted: members.length - chosen.length,
    };
  }

  /** Who held the ports of these destinations of a namespace in the last sample, in their order. */
  holdersOf(netns: string, destinations: readonly Destination[]): NamedHolders[] {
    const sampler = netns === this.#parts.own.netns ? this.#own : this.#member(netns)?.sampler;
    return sampler?.holdersOf(destinations) ?? [];
  }

  /** A file to enter another namespace by; undefined for the own one. */
  pathOf(netns: string): string | undefined {
    return this.#member(netns)?.found.path;
  }

  /** Which processes hold the sockets of a destination, as far as that is found out within the budget. */
  processesOf(holders: NamedHolders, budgetMs: number): SocketProcesses {
    return this.#parts.ownership.processesOf(holders.inodes, budgetMs);
  }

  close(): void {
    this.#own.close();
    this.#parts.ownership.close();
    const { others } = this.#parts;
    if (typeof others !== 'object') return;
    others.registry.close();
    others.switcher.close();
  }

  #member(netns: string): ForeignNamespace | undefined {
    const { others } = this.#parts;
    if (typeof others !== 'object') return undefined;
    return others.registry.members.find(({ identity }) => identity.netns === netns);
  }

  /** Those with most sockets, where there are more than the limit. */
  #chooseLargest(members: readonly ForeignNamespace[]): readonly ForeignNamespace[] {
    const { namespacesLimit } = this.#parts.settings;
    if (members.length <= namespacesLimit) return members;
    for (const member of members) this.#inside(member, () => this.#measure(member));
    const bySize = members.toSorted((a, b) => b.size - a.size);
    for (const member of bySize.slice(namespacesLimit)) member.closeSource();
    return bySize.slice(0, namespacesLimit);
  }

  /** → those that are still there. */
  #surveyAll(members: readonly ForeignNamespace[]): ForeignNamespace[] {
    return members.filter((member) =>
      this.#inside(member, (entering) => {
        const totals = this.#measure(member);
        member.sampler ??= this.#newSampler(this.#parts.openSource(), this.#walkTurns);
        const survey = withOutcome(entering, member.sampler.survey(totals));
        member.surveyed(survey, totals, this.#parts.settings.fullDumpAbove);
      }),
    );
  }

  #measure(member: ForeignNamespace): SocketTotals {
    const totals = readSocketTotals(netDirectory(this.#parts.settings.procfs));
    member.size = totals.open + totals.timeWait;
    return totals;
  }

  /**
   * Whole dumps for those that need one, the fullest first, as long as the round's CPU time may take. Two are made however
   * long they take: that of the fullest, and that of the one that waits longest, so that none waits for ever.
   */
  #dumpDue(members: readonly ForeignNamespace[], startedCpu: number): void {
    const { cpuTime, settings } = this.#parts;
    const budgetMs = settings.hasBudget ? settings.intervalMs * settings.maxDuty : Number.POSITIVE_INFINITY;
    for (const [index, member] of inOrder(members.filter(isDue)).entries()) {
      if (index >= GUARANTEED_DUMPS && cpuTime() - startedCpu > budgetMs) return;
      this.#inside(member, (entering) => {
        if (member.sampler !== undefined) member.dumped(withOutcome(entering, member.sampler.sample()));
      });
    }
  }

  /** → whether the namespace is still there. One that cannot be entered says so in its sample. */
  #inside(member: ForeignNamespace, act: (entering: CollectorOutcome) => void): boolean {
    const { others } = this.#parts;
    if (typeof others !== 'object') return false;
    const startedAt = performance.now();
    try {
      others.switcher.run(member.found, () => {
        act({ collector: 'enter', seconds: (performance.now() - startedAt) / 1000, error: undefined });
      });
      return true;
    } catch (error) {
      if (error instanceof NamespaceGone) {
        // The next look decides whether it is gone for good: it may have other processes.
        member.missed();
        return false;
      }
      if (error instanceof OtherKind) {
        others.registry.dismiss(member);
        return false;
      }
      if (!(error instanceof ExporterError)) throw error;
      member.failed(errorLine(error));
      return true;
    }
  }

  #newSampler(source: SocketSource, walkTurns?: WalkTurns): SampledNamespace {
    const { settings, ownership, newCanary } = this.#parts;
    return new SampledNamespace(source, settings, ownership, this.#destinations, newCanary?.(), walkTurns);
  }

  /** Looks who holds the listening sockets of the whole host → how that went. */
  #lookUpProcesses(samples: readonly [NamespaceIdentity, NamespaceSample][]): CollectorOutcome {
    const outcomes: CollectorOutcome[] = [];
    collect('processes', outcomes, () => {
      const listeners = samples.flatMap(([, sample]) => listenersIn(sample).map(({ listener }) => listener));
      this.#parts.ownership.lookUpProcesses(listeners);
    });
    return outcomes[0] as CollectorOutcome;
  }

  /** Says who the listeners of all namespaces are. */
  #describe(samples: readonly [NamespaceIdentity, NamespaceSample][]): NamespaceSnapshot[] {
    const { ownership } = this.#parts;
    const found = samples.map(([identity, sample]) => ({
      identity,
      sample,
      listeners: listenersIn(sample),
    }));
    return found.map(({ identity, sample, listeners }) => ({
      ...sample,
      identity,
      netns: identity.netns,
      listeners: listeners.map(({ protocol, listener }) => ownership.describe(protocol, listener)),
    }));
  }
}

function listenersIn(
  sample: NamespaceSample,
): { readonly protocol: Protocol; readonly listener: Listener }[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const listeners =
      sample[protocol]?.listeners ?? (protocol === 'tcp' ? sample.bounds?.listeners : undefined);
    return (listeners?.fullest ?? []).map((listener) => ({ protocol, listener }));
  });
}

/** Of what is done once for the whole host, the outcome stands with the own namespace. */
function withOutcomeOfOwn(
  samples: readonly [NamespaceIdentity, NamespaceSample][],
  outcome: CollectorOutcome,
): [NamespaceIdentity, NamespaceSample][] {
  return samples.map(([identity, sample], index) => [
    identity,
    index === 0 ? { ...sample, collectors: [...sample.collectors, outcome] } : sample,
  ]);
}

const GUARANTEED_DUMPS = 2;

/** The fullest, the one that waits longest, then all others, the fuller first. */
function inOrder(due: readonly ForeignNamespace[]): ForeignNamespace[] {
  const [fullest, ...others] = due.toSorted(
    (a, b) => b.fullness - a.fullness || a.waitingSince - b.waitingSince,
  );
  if (fullest === undefined) return [];
  const longest = others.reduce<ForeignNamespace | undefined>(
    (waiting, one) => (waiting === undefined || one.waitingSince < waiting.waitingSince ? one : waiting),
    undefined,
  );
  return longest === undefined
    ? [fullest]
    : [fullest, longest, ...others.filter((member) => member !== longest)];
}

/** Looks which other namespaces there are → how that went; undefined where none is wanted. */
function findOthers(others: SampledHostOptions['others']): CollectorOutcome | undefined {
  if (others === undefined) return undefined;
  if (typeof others === 'string') return { collector: 'enter', seconds: 0, error: others };
  const outcomes: CollectorOutcome[] = [];
  collect('enter', outcomes, () => {
    const obstacles = others.registry.refresh();
    if (obstacles.length > 0)
      throw new ExporterError(`some network namespaces stay unknown: ${obstacles.join('; ')}`);
  });
  return outcomes[0];
}

function withOutcome(outcome: CollectorOutcome, sample: NamespaceSample): NamespaceSample {
  return { ...sample, collectors: [outcome, ...sample.collectors] };
}
