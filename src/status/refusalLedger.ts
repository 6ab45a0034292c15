import type {
  DestinationKey,
  OwnerRefusals,
  PortCall,
  RefusalEvent,
  RefusalReport,
} from '../snapshot/refusals.ts';
import { BoundedCounts, type Counted } from './boundedCounts.ts';
import { type RecentlyRefused, RecentRefusals } from './recentRefusals.ts';

/** Of the whole host; what is beyond is given up, and counted. */
const NAMESPACES = 2048;
const DESTINATIONS = 200;
const OWNERS = 200;
const EVENTS = 20;

export type NamespaceCall = PortCall & { readonly netns: string };
export interface NamespaceError {
  readonly netns: string;
  readonly error: string;
}
export type OwnerKey = Omit<OwnerRefusals, 'count'>;
export type DestinationError = DestinationKey & NamespaceError;

/** All refusals since the daemon started. The same object as long as nothing changes. */
export interface RefusalState {
  /** Calls whose refusals are counted; none of those of others is known. */
  readonly counted: readonly PortCall[];
  /** Why not all are, in one line each. */
  readonly obstacles: readonly string[];
  readonly refused: readonly Counted<NamespaceCall>[];
  /** On a descriptor that had tried before: refused in all likelihood. */
  readonly likely: readonly Counted<NamespaceCall>[];
  readonly failures: readonly Counted<NamespaceError>[];
  /** Those that were refused last first. */
  readonly destinations: readonly Counted<DestinationKey>[];
  readonly destinationFailures: readonly Counted<DestinationError>[];
  readonly owners: readonly Counted<OwnerKey>[];
  /** Series given up for newer ones, and refusals that the kernel had no room to tell more of, by metric. */
  readonly evicted: Readonly<Record<EvictedMetric, number>>;
  /** Refused calls that exporters made to learn something: they are in nothing else. */
  readonly leftOut: number;
  readonly recent: readonly RecentlyRefused[];
  /** The last ones, newest first. */
  readonly events: readonly RefusalEvent[];
}

export type EvictedMetric =
  | 'port_refusals_total'
  | 'port_connect_failures_total'
  | 'port_destination_refusals_total'
  | 'port_destination_connect_failures_total'
  | 'port_owner_refusals_total';

export const NO_REFUSALS: RefusalState = {
  counted: [],
  obstacles: [],
  refused: [],
  likely: [],
  failures: [],
  destinations: [],
  destinationFailures: [],
  owners: [],
  evicted: {
    port_refusals_total: 0,
    port_connect_failures_total: 0,
    port_destination_refusals_total: 0,
    port_destination_connect_failures_total: 0,
    port_owner_refusals_total: 0,
  },
  leftOut: 0,
  recent: [],
  events: [],
};

/** Adds up what samplers report, of which one may follow another. */
export class RefusalLedger {
  readonly #now: () => number;
  readonly #refused = new BoundedCounts<NamespaceCall>(NAMESPACES, textOfCall);
  readonly #likely = new BoundedCounts<NamespaceCall>(NAMESPACES, textOfCall);
  readonly #failures = new BoundedCounts<NamespaceError>(NAMESPACES, textOfError);
  readonly #destinations = new BoundedCounts<DestinationKey>(DESTINATIONS, textOfDestination);
  readonly #destinationFailures = new BoundedCounts<DestinationError>(
    DESTINATIONS,
    (key) => `${textOfDestination(key)} ${key.error}`,
  );
  readonly #owners = new BoundedCounts<OwnerKey>(OWNERS, ({ netns, owner }) => `${netns} ${owner}`);
  readonly #recent = new RecentRefusals();
  #leftOut = 0;
  #lost = { namespaces: 0, destinations: 0, failures: 0, owners: 0 };
  #state = NO_REFUSALS;

  /** @param now monotonicMs() */
  constructor(now: () => number) {
    this.#now = now;
  }

  get state(): RefusalState {
    return this.#state;
  }

  take(report: RefusalReport): void {
    const nowMs = this.#now();
    for (const { count, ...key } of report.refused) this.#refused.add(key, count, nowMs);
    for (const { count, ...key } of report.likely) this.#likely.add(key, count, nowMs);
    for (const { count, ...key } of report.failures) this.#failures.add(key, count, nowMs);
    for (const { count, ...key } of report.destinations) this.#destinations.add(key, count, nowMs);
    for (const { count, ...key } of report.destinationFailures)
      this.#destinationFailures.add(key, count, nowMs);
    for (const { count, ...key } of report.owners) this.#owners.add(key, count, nowMs);
    for (const calls of report.refused) this.#recent.add(calls, nowMs);
    for (const calls of report.likely) this.#recent.add(calls, nowMs);
    this.#leftOut += report.leftOut;
    const { lost } = report;
    this.#lost = {
      namespaces: this.#lost.namespaces + lost.namespaces,
      destinations: this.#lost.destinations + lost.destinations,
      failures: this.#lost.failures + lost.failures,
      owners: this.#lost.owners + lost.owners,
    };
    const newest = [...report.events, ...this.#state.events.toReversed()]
      .toSorted((a, b) => b.atMs - a.atMs)
      .slice(0, EVENTS);
    this.#state = this.#newState(report.counted, report.obstacles, newest);
  }

  /** Nobody counts until the next report. What was counted is kept. */
  interrupt(): void {
    if (this.#state.counted.length > 0) this.#state = { ...this.#state, counted: [], obstacles: [] };
  }

  #newState(
    counted: RefusalState['counted'],
    obstacles: readonly string[],
    events: readonly RefusalEvent[],
  ): RefusalState {
    return {
      ...{ counted, obstacles, events },
      refused: this.#refused.all(),
      likely: this.#likely.all(),
      failures: this.#failures.all(),
      destinations: this.#destinations.all(),
      destinationFailures: this.#destinationFailures.all(),
      owners: this.#owners.all(),
      evicted: {
        port_refusals_total: this.#refused.evicted + this.#likely.evicted + this.#lost.namespaces,
        port_connect_failures_total: this.#failures.evicted,
        port_destination_refusals_total: this.#destinations.evicted + this.#lost.destinations,
        port_destination_connect_failures_total: this.#destinationFailures.evicted + this.#lost.failures,
        port_owner_refusals_total: this.#owners.evicted + this.#lost.owners,
      },
      leftOut: this.#leftOut,
      recent: this.#recent.all(),
    };
  }
}

function textOfCall({ netns, protocol, scope }: NamespaceCall): string {
  return `${protocol} ${scope} ${netns}`;
}

function textOfError({ netns, error }: NamespaceError): string {
  return `${error} ${netns}`;
}

function textOfDestination({ netns, localAddress, remoteAddress, remotePort }: DestinationKey): string {
  return `${localAddress} ${remoteAddress} ${remotePort} ${netns}`;
}
