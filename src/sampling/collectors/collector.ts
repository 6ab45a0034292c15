import type { Destinations } from '../../aggregate/destinations.ts';
import type { DroppedTotals } from '../../aggregate/droppedTotals.ts';
import type { HeldConnections } from '../../aggregate/heldConnections.ts';
import type { PortsByCgroup } from '../../aggregate/portsByCgroup.ts';
import type { EphemeralRange } from '../../aggregate/range.ts';
import type { PortSysctls } from '../../kernel/sysctl.ts';
import type { Protocol } from '../../snapshot/protocol.ts';
import type { Results } from '../../snapshot/results.ts';
import type { CollectorOutcome } from '../../snapshot/sample.ts';
import type { Inside, SocketSource } from '../../sockets/source.ts';
import type { Canary } from '../canary.ts';
import type { ConntrackReader } from '../conntrackReader.ts';
import type { OwnerResolver } from '../ownerResolver.ts';
import type { SamplingOptions } from '../samplingOptions.ts';
import type { WalkTurns } from '../walkTurns.ts';

/**
 * Finds one thing out of each network namespace, at every sample. Its result has a bounded number of rows, is whole or
 * missing, and no stranger can make it fail.
 */
export interface Collector<Name extends keyof Results = keyof Results> {
  readonly name: Name;
  readonly finds: CollectorOutcome['finds'];
  /** For one namespace; what it remembers from sample to sample stays inside. undefined: it is switched off. */
  open(namespace: NamespaceContext): OpenCollector<Name> | undefined;
}

export interface OpenCollector<Name extends keyof Results = keyof Results> {
  /**
   * On the calling thread, which must be in the namespace. Whatever it throws is the outcome: one failure is not all.
   * undefined: there is nothing of it in this namespace.
   */
  collect(round: Round): Results[Name] | undefined;
}

/** What the collectors before found in this sample. */
export interface Round {
  readonly results: Partial<Results>;
  range?: RangeRead;
  /** Which ports each cgroup's sockets hold, of the protocols that were walked. */
  readonly ports: Partial<Record<Protocol, PortsByCgroup>>;
}

export interface RangeRead {
  readonly sysctls: PortSysctls;
  readonly range: EphemeralRange;
}

/** What the collectors of one network namespace share. */
export interface NamespaceContext {
  /** Opened in the namespace. */
  readonly source: SocketSource;
  readonly options: SamplingOptions;
  readonly ownerResolver: OwnerResolver;
  /** May serve several namespaces, which are sampled one after the other. */
  readonly destinations: Destinations;
  /** Without one the kernel is not asked. */
  readonly canary: Canary | undefined;
  /** Without one tracked connections are neither counted nor read. */
  readonly conntrack: ConntrackReader | undefined;
  /** Enters the namespace, where the calling thread is not in it; undefined where it is. */
  readonly inside: Inside | undefined;
  /** For walks that cost too much to make one for each namespace. */
  readonly walkTurns: WalkTurns | undefined;
  readonly dropped: Readonly<Record<Protocol, DroppedTotals>>;
  /** Outbound connections of the last sample, where the options keep them. */
  held: HeldConnections | undefined;
}

/** Throws where the range could not be read: without it nothing can be counted. */
export function rangeOf({ range }: Round): RangeRead {
  if (range === undefined) throw new Error('not sampled: the ephemeral port range is unknown');
  return range;
}

/** Whether ports are attributed to owners. */
export function attributes({ source, options }: NamespaceContext): boolean {
  return source.sees.cgroups && options.limits.owners > 0;
}
