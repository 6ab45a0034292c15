import { ExporterError, errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { CallAddresses, Ending, NamespaceId, RefusalDeltas, RefusalEvent } from '../refusals/deltas.ts';
import { type CountedRegime, openRefusals, type Refusals } from '../refusals/openRefusals.ts';
import type { Regime } from '../refusals/regimes.ts';
import { UNATTRIBUTED } from '../snapshot/owners.ts';
import type {
  ConnectFailures,
  DestinationKey,
  RefusalReport,
  RefusedCalls,
  RefusalEvent as ReportedEvent,
} from '../snapshot/refusals.ts';
import type { OwnerOf } from './nameOwners.ts';
import type { SamplingOptions } from './samplingOptions.ts';

/** Who can tell what the kernel's numbers stand for. */
export interface RefusalNames {
  /**
   * undefined for a namespace that is not sampled.
   *
   * @param kernelId its cookie
   */
  netnsOf(inode: number, kernelId: string): string | undefined;
  readonly ownerOf: OwnerOf;
}

/** undefined where nobody wants them, or there is nothing to count them with. */
export function openRefusalReports(
  { countsRefusals }: Pick<SamplingOptions, 'countsRefusals'>,
  names: RefusalNames,
  log: Logger,
): RefusalReports | undefined {
  if (!countsRefusals) return undefined;
  try {
    return new RefusalReports(openRefusals(), names);
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    log.info('refused calls are not counted', { error: errorLine(error) });
    return undefined;
  }
}

/** Puts names to what the kernel counted. Says nothing where nothing happened. */
export class RefusalReports {
  readonly #refusals: Refusals;
  readonly #names: RefusalNames;
  #told: string | undefined;

  constructor(refusals: Refusals, names: RefusalNames) {
    this.#refusals = refusals;
    this.#names = names;
  }

  /** What happened since the last report; undefined where nothing did, and what is counted is the same. */
  next(): RefusalReport | undefined {
    const deltas = this.#refusals.drain();
    const { regimes } = this.#refusals;
    const told = JSON.stringify(regimes);
    if (deltas === undefined && told === this.#told) return undefined;
    this.#told = told;
    return this.#reportOf(regimes, deltas);
  }

  close(): void {
    this.#refusals.close();
  }

  #reportOf(regimes: readonly CountedRegime[], deltas: RefusalDeltas | undefined): RefusalReport {
    const named = <T extends NamespaceId>(all: readonly T[] = []): (Omit<T, 'netns'> & { netns: string })[] =>
      all.flatMap((one) => {
        const netns = this.#names.netnsOf(one.netns, one.cookie);
        return netns === undefined ? [] : [{ ...one, netns }];
      });
    const counts = named(deltas?.namespaces);
    const ownerOf = (cgroupId: number) => this.#names.ownerOf(cgroupId) ?? UNATTRIBUTED;
    return {
      counted: regimes.flatMap(({ isCounted, protocol, scope }) => (isCounted ? [{ protocol, scope }] : [])),
      obstacles: obstaclesOf(regimes),
      refused: refusedAs('refused', counts),
      likely: refusedAs('looks_refused', counts),
      failures: counts.flatMap((one) => failureOf(one) ?? []),
      destinations: named(deltas?.destinations).flatMap(({ netns, count, ...call }) => {
        const key = keyOf(netns, call);
        return key === undefined ? [] : [{ ...key, count }];
      }),
      destinationFailures: named(deltas?.failures).flatMap((one) => {
        const key = keyOf(one.netns, one);
        const failure = failureOf(one);
        return key === undefined || failure === undefined ? [] : [{ ...key, ...failure }];
      }),
      owners: named(deltas?.owners).map(({ netns, cgroupId, count }) => ({
        ...{ netns, count },
        owner: ownerOf(cgroupId),
      })),
      events: named(deltas?.events).flatMap((event) => eventOf(event, ownerOf(event.cgroupId)) ?? []),
      lost: {
        namespaces: deltas?.lost.namespaces ?? 0,
        destinations: deltas?.lost.destinations ?? 0,
        failures: deltas?.lost.failures ?? 0,
        owners: deltas?.lost.owners ?? 0,
      },
      leftOut: deltas?.leftOut ?? 0,
      interruptions: (deltas?.interrupted ?? []).map(callName),
    };
  }
}

/** Each reason once, with all that it keeps from being counted. */
function obstaclesOf(regimes: readonly CountedRegime[]): string[] {
  const reasons = new Set(regimes.flatMap(({ reason }) => reason ?? []));
  return [...reasons].map((reason) => {
    const calls = regimes.filter((one) => one.reason === reason).map(callName);
    return `${calls.join(', ')}: ${reason}`;
  });
}

/** `TCP connect()`. */
function callName({ protocol, scope }: Regime): string {
  return `${protocol.toUpperCase()} ${scope}()`;
}

interface Count {
  readonly netns: string;
  readonly ending: Ending;
  readonly count: number;
}

function refusedAs(kind: 'refused' | 'looks_refused', counts: readonly Count[]): RefusedCalls[] {
  return counts.flatMap(({ netns, ending, count }) =>
    ending.kind === kind ? [{ netns, protocol: ending.protocol, scope: ending.scope, count }] : [],
  );
}

/** undefined for what is no connect() of TCP. */
function failureOf({ netns, ending, count }: Count): ConnectFailures | undefined {
  if (ending.kind === 'failed') return { netns, error: ending.error, count };
  if (ending.kind === 'given_up') return { netns, error: 'given_up', count };
  if (ending.protocol !== 'tcp' || ending.scope !== 'connect') return undefined;
  return { netns, error: 'EADDRNOTAVAIL', count };
}

/** undefined where there is no destination. */
function keyOf(netns: string, { localAddress, remote }: CallAddresses): DestinationKey | undefined {
  return remote && { netns, localAddress, remoteAddress: remote.address, remotePort: remote.port };
}

function eventOf(
  event: Omit<RefusalEvent, 'netns'> & { readonly netns: string },
  owner: string,
): ReportedEvent | undefined {
  const { ending, netns, atMs, pid, comm, localAddress, remote } = event;
  if (ending.kind !== 'refused' && ending.kind !== 'looks_refused') return undefined;
  const { protocol, scope, kind } = ending;
  return {
    ...{ protocol, scope, netns, atMs, pid, owner, localAddress, remote },
    isLikely: kind === 'looks_refused',
    process: comm,
  };
}
