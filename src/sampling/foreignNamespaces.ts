import { ExporterError, errorLine } from '../base/errors.ts';
import { netDirectory } from '../kernel/procfs.ts';
import { readSocketTotals, type SocketTotals } from '../kernel/sockstat.ts';
import type { Clock } from '../kernel/threadCpu.ts';
import { NamespaceGone, type NamespaceSwitcher, OtherKind } from '../namespaces/namespaceSwitcher.ts';
import type { CollectorOutcome } from '../snapshot/sample.ts';
import type { Inside, Round } from '../sockets/source.ts';
import type { ForeignNamespace } from './foreignNamespace.ts';
import type { NamespaceRegistry } from './namespaceRegistry.ts';
import type { SampledNamespace } from './sampledNamespace.ts';
import type { SamplingOptions } from './samplingOptions.ts';

/** What it takes to sample other namespaces than the own one. */
export interface ForeignOptions {
  /** A text: why none can be entered. */
  readonly switcher: Pick<NamespaceSwitcher, 'run' | 'close'> | string;
  readonly registry: NamespaceRegistry;
}

/** Opens what samples one. */
export interface ForeignOpener {
  /** The namespace that the calling thread is in. */
  here(): SampledNamespace;
  /** Another, which is entered where that is unavoidable; undefined where the source reads only where it is. */
  readonly elsewhere: ((inode: number, inside: Inside) => SampledNamespace) | undefined;
}

/**
 * Other network namespaces. Where the tables of all were read at once, each is sampled whole from them; else each is estimated
 * in every round, and read whole where it may be full, as far as time allows.
 */
export class ForeignNamespaces {
  readonly #switcher: ForeignOptions['switcher'];
  readonly #registry: NamespaceRegistry;
  readonly #options: SamplingOptions;
  readonly #cpuTime: Clock;
  readonly #open: ForeignOpener;

  /**
   * @param cpuTime of the thread that samples
   */
  constructor(
    { switcher, registry }: ForeignOptions,
    options: SamplingOptions,
    cpuTime: Clock,
    open: ForeignOpener,
  ) {
    this.#switcher = switcher;
    this.#registry = registry;
    this.#options = options;
    this.#cpuTime = cpuTime;
    this.#open = open;
  }

  /** All there are, wanted or not. */
  get found(): number {
    return this.#registry.size;
  }

  /** Looks which there are now. Throws an ExporterError where some may be missing. */
  find(read: Round | undefined): void {
    const obstacles = this.#registry.refresh(
      (member) => read?.idOf(member.identity.inode) === member.kernelId,
    );
    if (obstacles.length > 0)
      throw new ExporterError(`some network namespaces are unknown: ${obstacles.join('; ')}`);
  }

  /**
   * One round.
   *
   * @param startedCpu `cpuTime` at its start
   * @param read what was read of all of them at once; undefined: each has to be entered
   * @returns those that are still there, and how many were left out by the limit
   */
  sample(
    startedCpu: number,
    read: Round | undefined,
  ): { readonly sampled: readonly ForeignNamespace[]; readonly omitted: number } {
    const { members } = this.#registry;
    const chosen = this.#chooseLargest(members, read);
    const sampled = read === undefined ? this.#estimateAll(chosen) : this.#sampleAll(chosen, read);
    if (read === undefined) this.#readDue(sampled, startedCpu);
    return { sampled, omitted: members.length - chosen.length };
  }

  /** Whether there is one with that inode number, wanted or not. */
  knows(inode: number): boolean {
    return this.#registry.has(inode);
  }

  byName(netns: string): ForeignNamespace | undefined {
    return this.#registry.members.find(({ identity }) => identity.netns === netns);
  }

  close(): void {
    this.#registry.close();
    if (typeof this.#switcher === 'object') this.#switcher.close();
  }

  /** The members with most sockets, where there are more than the limit. */
  #chooseLargest(members: readonly ForeignNamespace[], read: Round | undefined): readonly ForeignNamespace[] {
    const { namespacesLimit } = this.#options;
    if (members.length <= namespacesLimit) return members;
    for (const member of members) {
      if (read === undefined) this.#inside(member, () => this.#measure(member));
      else member.size = read.connectionsIn(member.identity.inode);
    }
    const bySize = members.toSorted((a, b) => b.size - a.size);
    for (const member of bySize.slice(namespacesLimit)) member.closeSource();
    return bySize.slice(0, namespacesLimit);
  }

  /** → those that are still there. */
  #sampleAll(members: readonly ForeignNamespace[], read: Round): ForeignNamespace[] {
    return members.filter((member) => {
      const id = read.idOf(member.identity.inode);
      // Another may have its inode number by now.
      if (member.kernelId !== id) member.closeSource();
      member.kernelId = id;
      if (id === undefined) return false;
      member.opened ??= this.#openElsewhere(member);
      const { outcomes, ...rest } = member.opened.sample();
      member.readAlways({ ...rest, outcomes: [REACHED, ...outcomes] });
      return true;
    });
  }

  #openElsewhere(member: ForeignNamespace): SampledNamespace {
    const { elsewhere } = this.#open;
    if (elsewhere === undefined) throw new Error('a source that reads all namespaces opens each');
    return elsewhere(member.identity.inode, (act) => this.#enter(member, act));
  }

  /** → those that are still there. */
  #estimateAll(members: readonly ForeignNamespace[]): ForeignNamespace[] {
    return members.filter((member) =>
      this.#inside(member, (entering) => {
        const totals = this.#measure(member);
        member.opened ??= this.#open.elsewhere ? this.#openElsewhere(member) : this.#open.here();
        const { outcomes, ...rest } = member.opened.estimate(totals);
        member.estimated({ ...rest, outcomes: [entering, ...outcomes] }, totals, this.#options.fullDumpAbove);
      }),
    );
  }

  #measure(member: ForeignNamespace): SocketTotals {
    const totals = readSocketTotals(netDirectory(this.#options.procfs));
    member.size = totals.open + totals.timeWait;
    return totals;
  }

  /**
   * Whole dumps for those that need one, the fullest first, as long as the round's CPU time may take. Two are made however
   * long they take: that of the fullest, and that of the one that waits longest, so that none waits for ever.
   */
  #readDue(members: readonly ForeignNamespace[], startedCpu: number): void {
    const { hasBudget, intervalMs, maxDuty } = this.#options;
    const budgetMs = hasBudget ? intervalMs * maxDuty : Number.POSITIVE_INFINITY;
    for (const [index, member] of inOrder(members.filter(({ isDue }) => isDue)).entries()) {
      if (index >= GUARANTEED_DUMPS && this.#cpuTime() - startedCpu > budgetMs) return;
      this.#inside(member, (entering) => {
        if (member.opened === undefined) return;
        const { outcomes, ...rest } = member.opened.sample();
        member.read({ ...rest, outcomes: [entering, ...outcomes] });
      });
    }
  }

  #enter<T>({ found }: ForeignNamespace, act: () => T): T {
    if (typeof this.#switcher === 'string') throw new ExporterError(this.#switcher);
    return this.#switcher.run(found, act);
  }

  /** → whether the namespace is still there. One that cannot be entered says so in its sample. */
  #inside(member: ForeignNamespace, act: (entering: CollectorOutcome) => void): boolean {
    const startedAt = performance.now();
    try {
      this.#enter(member, () => {
        const seconds = (performance.now() - startedAt) / 1000;
        act({ collector: 'enter', finds: 'names', seconds, error: undefined });
      });
      return true;
    } catch (error) {
      if (error instanceof NamespaceGone) {
        // The next look decides whether it is gone for good: it may have other processes.
        member.missed();
        return false;
      }
      if (error instanceof OtherKind) {
        this.#registry.dismiss(member);
        return false;
      }
      if (!(error instanceof ExporterError)) throw error;
      member.failed(errorLine(error));
      return true;
    }
  }
}

const GUARANTEED_DUMPS = 2;

/** Of a namespace that was read from outside. */
const REACHED: CollectorOutcome = { collector: 'enter', finds: 'names', seconds: 0, error: undefined };

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
