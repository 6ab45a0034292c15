import { DestinationHolders } from '../aggregate/destinationHolders.ts';
import type { Destination } from '../aggregate/destinations.ts';
import { DroppedTotals } from '../aggregate/droppedTotals.ts';
import { EstimatedSockets } from '../aggregate/estimated.ts';
import { bootTimeMs } from '../kernel/clock.ts';
import type { SocketTotals } from '../kernel/sockstat.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { Results } from '../snapshot/results.ts';
import type { CollectorOutcome, EstimatedSample, FullSample } from '../snapshot/sample.ts';
import { collect } from './collect.ts';
import { type NamespaceContext, type OpenCollector, type Round, rangeOf } from './collectors/collector.ts';
import { COLLECTORS } from './collectors/list.ts';
import { rangeCollector } from './collectors/range.ts';
import { tcpCollector } from './collectors/tcp.ts';
import { nameHolders } from './nameOwners.ts';
import { Peaks } from './peaks.ts';

/**
 * One network namespace that is sampled again and again; holds what one sample leaves for the next. The calling thread
 * must be in that namespace.
 */
export class SampledNamespace {
  readonly #context: NamespaceContext;
  readonly #collectors: readonly RunningCollector[];
  readonly #range: OpenCollector<'range'> | undefined;
  readonly #peaks: Peaks;
  /** Of the estimates apart: one that the next whole sample refutes is no peak of that. */
  readonly #estimatedPeaks: Peaks;

  constructor(context: Omit<NamespaceContext, 'dropped' | 'held'>) {
    this.#context = {
      ...context,
      dropped: { tcp: new DroppedTotals(), udp: new DroppedTotals() },
      held: undefined,
    };
    this.#collectors = COLLECTORS.flatMap(({ name, finds, open }) => {
      const opened = open(this.#context);
      return opened === undefined ? [] : [{ name, finds, opened }];
    });
    this.#range = rangeCollector.open(this.#context);
    this.#peaks = new Peaks(context.options.peakWindowMs);
    this.#estimatedPeaks = new Peaks(context.options.peakWindowMs);
  }

  /** Every collector, in their order. The result of each is whole or missing. */
  sample(): FullSample {
    const outcomes: CollectorOutcome[] = [];
    const round = newRound();
    this.#collect(this.#collectors, round, outcomes);
    return {
      detail: 'full',
      sampledAtMs: bootTimeMs(),
      outcomes,
      results: round.results,
      peaks: this.#peaks.add(round.results),
    };
  }

  /** What costs next to nothing: the range, who listens, and estimates from the kernel's own counts. */
  estimate(totals: SocketTotals): EstimatedSample {
    const outcomes: CollectorOutcome[] = [];
    const round = newRound();
    const range = collect(outcomeOf(rangeCollector), outcomes, () => this.#range?.collect(round));
    const estimated = collect(outcomeOf(tcpCollector), outcomes, () => {
      const { source, options, dropped } = this.#context;
      const sockets = new EstimatedSockets(rangeOf(round).range);
      source.tcpListeners((record) => sockets.addListener(record));
      return sockets.summarise(totals, options.limits, dropped.tcp);
    });
    const others = this.#collectors.filter(({ name }) => NOT_OF_SOCKETS.includes(name));
    this.#collect(others, round, outcomes);
    return {
      detail: 'estimated',
      sampledAtMs: bootTimeMs(),
      outcomes,
      results: { ...round.results, ...(range && { range }), ...estimated },
      peaks: this.#estimatedPeaks.add(estimated ?? {}),
    };
  }

  /** Who held the ports of `destinations` in the last sample; the options must keep connections. */
  holdersOf(destinations: readonly Destination[]): NamedHolders[] {
    const { held, source, ownerResolver } = this.#context;
    const holders = new DestinationHolders(destinations, { keepsSockets: true });
    held?.replay((record) => holders.add(record));
    const isTold = source.sees.cgroups && ownerResolver.obstacle === undefined;
    const ownerOf = isTold ? (id: number) => ownerResolver.ownerOf(id) : undefined;
    return destinations.map((destination) => {
      const { byCgroup, timeWaitLeftMs, inodes } = holders.of(destination);
      return { owners: nameHolders(byCgroup, ownerOf), timeWaitLeftMs, inodes };
    });
  }

  close(): void {
    this.#context.source.close();
  }

  #collect(collectors: readonly RunningCollector[], round: Round, outcomes: CollectorOutcome[]): void {
    const results: Partial<Record<keyof Results, unknown>> = round.results;
    for (const { name, finds, opened } of collectors) {
      const result = collect({ collector: name, finds }, outcomes, () => opened.collect(round));
      if (result !== undefined) results[name] = result;
    }
  }
}

/** They cost next to nothing where there is nothing to be seen. */
const NOT_OF_SOCKETS: readonly (keyof Results)[] = ['conntrack', 'snat'];

interface RunningCollector {
  readonly name: keyof Results;
  readonly finds: CollectorOutcome['finds'];
  readonly opened: OpenCollector;
}

function newRound(): Round {
  return { results: {}, ports: {} };
}

function outcomeOf({ name, finds }: { name: keyof Results; finds: CollectorOutcome['finds'] }) {
  return { collector: name, finds };
}
