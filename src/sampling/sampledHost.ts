import type { Destination } from '../aggregate/destinations.ts';
import { Destinations } from '../aggregate/destinations.ts';
import { ExporterError } from '../base/errors.ts';
import type { Clock } from '../kernel/threadCpu.ts';
import type { NamespaceIdentity } from '../namespaces/labels.ts';
import type { SocketProcesses } from '../owners/socketProcesses.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { CollectorOutcome, HostCollectorName, NamespaceSample } from '../snapshot/sample.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import type { Inside, Round, SocketSource } from '../sockets/source.ts';
import type { Canary } from './canary.ts';
import { collect } from './collect.ts';
import type { ConntrackReader } from './conntrackReader.ts';
import { describeListeners, listenersIn } from './describeListeners.ts';
import { ForeignNamespaces, type ForeignOptions } from './foreignNamespaces.ts';
import type { OwnerResolver } from './ownerResolver.ts';
import { SampledNamespace } from './sampledNamespace.ts';
import type { SamplingOptions } from './samplingOptions.ts';
import { type Named, shareLimits } from './shareLimits.ts';
import { WalkTurns } from './walkTurns.ts';

/** What sampling needs that is opened once. */
export interface SampledHostOptions {
  readonly options: SamplingOptions;
  readonly own: NamespaceIdentity;
  readonly source: SocketSource;
  readonly ownerResolver: OwnerResolver;
  /** undefined: only the own namespace is wanted. A text: why others cannot be entered. */
  readonly others: ForeignOptions | string | undefined;
  /** CPU time of the thread that samples. */
  readonly cpuTime: Clock;
  /** One for a namespace; undefined: the kernel is not asked. */
  readonly newCanary: (() => Canary) | undefined;
  readonly conntrack: ConntrackReader;
  /** Called when the own namespace is sampled, before any other is looked at. */
  readonly afterOwn?: (() => void) | undefined;
}

/** One round: the own namespace is the first. */
export interface HostSample {
  readonly namespaces: NamespaceSnapshot[];
  /** Namespaces there are, wanted or not. */
  readonly found: number;
  /** Of the wanted ones, those left out because of the limit. */
  readonly omitted: number;
  /** Of namespaces that were not found; undefined where that cannot be told. */
  readonly unlistedConnections: number | undefined;
}

/** The network namespaces of a host: the own one, and others at little more cost. */
export class SampledHost {
  readonly #host: SampledHostOptions;
  /** The one large part of a sample: namespaces use it one after the other. */
  readonly #destinations = new Destinations();
  readonly #own: SampledNamespace;
  readonly #others: ForeignNamespaces | undefined;
  #round: Round | undefined;

  constructor(host: SampledHostOptions) {
    this.#host = host;
    this.#own = this.#open(host.source);
    const { others, options, cpuTime, source } = host;
    // The own namespace has all for itself; so has each where nobody waits for the round to end.
    const walkTurns = options.hasBudget ? new WalkTurns() : undefined;
    const { openElsewhere } = source;
    if (typeof others === 'object')
      this.#others = new ForeignNamespaces(others, options, cpuTime, {
        here: () => this.#open(source.openAnother(), walkTurns),
        elsewhere:
          openElsewhere && ((inode, inside) => this.#open(openElsewhere(inode, inside), walkTurns, inside)),
      });
  }

  /** One round. */
  sample(): HostSample {
    const { ownerResolver, own, options, cpuTime } = this.#host;
    const startedCpu = cpuTime();
    ownerResolver.beginRound();
    const round = this.#beginRound();
    this.#round = round;
    const sample = this.#own.sample();
    this.#host.afterOwn?.();
    const finding = this.#findOthers(round);
    const { sampled = [], omitted = 0 } = this.#others?.sample(startedCpu, round) ?? {};
    const samples: Named<NamespaceIdentity>[] = [
      [own, finding === undefined ? sample : withOutcome(sample, finding)],
      ...sampled.flatMap(({ identity, latest }): Named<NamespaceIdentity>[] =>
        latest === undefined ? [] : [[identity, latest]],
      ),
    ];
    const shared = shareLimits(samples, options.limits);
    const processes = this.#lookUpProcesses(shared);
    return {
      // Of what is done once for the whole host, the outcome stands with the own namespace.
      namespaces: shared.map(([identity, one], index) => ({
        ...(index === 0 ? withOutcome(one, processes) : one),
        identity,
        netns: identity.netns,
        listeners: describeListeners(one, ownerResolver),
      })),
      found: 1 + (this.#others?.found ?? 0),
      omitted,
      unlistedConnections: this.#unlistedIn(round),
    };
  }

  /** Who held the ports of these destinations of a namespace in the last sample, in their order. */
  holdersOf(netns: string, destinations: readonly Destination[]): NamedHolders[] {
    const namespace = netns === this.#host.own.netns ? this.#own : this.#others?.byName(netns)?.opened;
    return namespace?.holdersOf(destinations) ?? [];
  }

  /**
   * The name of a namespace; undefined where it is none that is wanted.
   *
   * @param kernelId what no other namespace ever had: an inode number is given again
   */
  netnsOf(inode: number, kernelId: string): string | undefined {
    const { own, others } = this.#host;
    if (inode === own.inode) return own.netns;
    if (typeof others === 'string') return undefined;
    const isAnother = (this.#round?.idOf(inode) ?? kernelId) !== kernelId;
    return others?.registry.netnsOf(inode, isAnother);
  }

  /** A file to enter another namespace by; undefined for the own one. */
  pathOf(netns: string): string | undefined {
    return this.#others?.byName(netns)?.found.path;
  }

  /** Which processes hold the sockets of a destination, as far as that is found out within the budget. */
  processesOf(holders: NamedHolders, budgetMs: number): SocketProcesses {
    return this.#host.ownerResolver.processesOf(holders.inodes, budgetMs);
  }

  close(): void {
    this.#own.close();
    this.#host.ownerResolver.close();
    this.#others?.close();
  }

  #open(source: SocketSource, walkTurns?: WalkTurns, inside?: Inside): SampledNamespace {
    const { options, ownerResolver, newCanary, conntrack } = this.#host;
    const isReached = inside === undefined || this.#mayEnter;
    const destinations = this.#destinations;
    return new SampledNamespace({
      ...{ source, options, ownerResolver, destinations, walkTurns, inside },
      canary: isReached ? newCanary?.() : undefined,
      conntrack: isReached ? conntrack : undefined,
    });
  }

  get #mayEnter(): boolean {
    const { others } = this.#host;
    return typeof others === 'object' && typeof others.switcher === 'object';
  }

  /** Reads the tables of the whole host, where the source can. */
  #beginRound(): Round | undefined {
    const { source, options } = this.#host;
    return source.beginRound?.({ inodes: options.keepsConnections, cgroups: options.limits.owners > 0 });
  }

  /** Connections of namespaces that no process is in and no name refers to, or that are too new to have been found. */
  #unlistedIn(round: Round | undefined): number | undefined {
    const others = this.#others;
    if (round === undefined || others === undefined) return undefined;
    return round.inodes
      .filter((inode) => inode !== this.#host.own.inode && !others.knows(inode))
      .reduce((sum, inode) => sum + round.connectionsIn(inode), 0);
  }

  /** Looks which other namespaces there are → how that went; undefined where none is wanted. */
  #findOthers(round: Round | undefined): CollectorOutcome | undefined {
    const { others } = this.#host;
    if (others === undefined) return undefined;
    return outcomeOf('enter', () => {
      if (typeof others === 'string') throw new ExporterError(others);
      this.#others?.find(round);
    });
  }

  /** Looks who holds the listening sockets of the whole host → how that went. */
  #lookUpProcesses(samples: readonly Named<NamespaceIdentity>[]): CollectorOutcome {
    return outcomeOf('processes', () => {
      const listeners = samples.flatMap(([, sample]) => listenersIn(sample).map(({ listener }) => listener));
      const { ownerResolver, source } = this.#host;
      ownerResolver.lookUpProcesses(listeners, source.holdersOf);
    });
  }
}

/** Of what finds no numbers, and is done once for the whole host. */
function outcomeOf(collector: HostCollectorName, run: () => void): CollectorOutcome {
  const outcomes: CollectorOutcome[] = [];
  collect({ collector, finds: 'names' }, outcomes, run);
  return outcomes[0] as CollectorOutcome;
}

function withOutcome<Sample extends NamespaceSample>(sample: Sample, outcome: CollectorOutcome): Sample {
  return { ...sample, outcomes: [...sample.outcomes, outcome] };
}
