import type { DestinationKey, PortCall, RefusalEvent, RefusalReport } from '../snapshot/refusals.ts';
import { BoundedCounts } from './boundedCounts.ts';

/** Of the whole host; what is beyond is given up, and the sums are exact all the same. */
const KEYS = 1000;

/** What was refused: a connect() of TCP by its addresses, other calls by their namespace. */
export interface RefusedKey extends PortCall {
  readonly netns: string;
  readonly destination: Omit<DestinationKey, 'netns'> | undefined;
}

export interface RefusedMost extends RefusedKey {
  readonly count: number;
  /** The last one that is known. */
  readonly last: RefusalEvent | undefined;
}

/** Adds up what was refused while somebody watches. */
export class RefusalTally {
  readonly #counts = new BoundedCounts<RefusedKey>(KEYS, textOf);
  readonly #last = new Map<string, RefusalEvent>();
  #refused = 0;
  #likely = 0;

  /** Calls that were refused, the likely ones too. */
  get refused(): number {
    return this.#refused + this.#likely;
  }

  /** Those of them that are not certain. */
  get likely(): number {
    return this.#likely;
  }

  /** @param nowMs monotonicMs() */
  take({ refused, likely, destinations, events }: RefusalReport, nowMs: number): void {
    this.#refused += refused.reduce((sum, { count }) => sum + count, 0);
    this.#likely += likely.reduce((sum, { count }) => sum + count, 0);
    for (const { netns, count, ...destination } of destinations)
      this.#counts.add({ ...TCP_CONNECT, netns, destination }, count, nowMs);
    for (const { netns, protocol, scope, count } of [...refused, ...likely]) {
      if (isTcpConnect({ protocol, scope })) continue;
      this.#counts.add({ protocol, scope, netns, destination: undefined }, count, nowMs);
    }
    for (const event of events) this.#remember(event);
  }

  /** Those with most first. */
  most(limit: number): RefusedMost[] {
    return this.#counts
      .all()
      .toSorted((a, b) => b.count - a.count)
      .slice(0, limit)
      .map(({ key, count }) => ({ ...key, count, last: this.#last.get(textOf(key)) }));
  }

  /** Calls of TCP connect() to one destination of a namespace, from whatever address. */
  towards(netns: string, remoteAddress: string, remotePort: number): number {
    return this.#counts
      .all()
      .filter(({ key }) => key.netns === netns && key.destination?.remoteAddress === remoteAddress)
      .reduce((sum, { key, count }) => sum + (key.destination?.remotePort === remotePort ? count : 0), 0);
  }

  #remember(event: RefusalEvent): void {
    const text = textOf(keyOf(event));
    this.#last.delete(text);
    this.#last.set(text, event);
    const [oldest] = this.#last.keys();
    if (this.#last.size > KEYS && oldest !== undefined) this.#last.delete(oldest);
  }
}

const TCP_CONNECT: PortCall = { protocol: 'tcp', scope: 'connect' };

function isTcpConnect({ protocol, scope }: PortCall): boolean {
  return protocol === 'tcp' && scope === 'connect';
}

function keyOf({ protocol, scope, netns, localAddress, remote }: RefusalEvent): RefusedKey {
  const destination =
    remote === undefined || !isTcpConnect({ protocol, scope })
      ? undefined
      : { localAddress, remoteAddress: remote.address, remotePort: remote.port };
  return { protocol, scope, netns, destination };
}

function textOf({ protocol, scope, netns, destination }: RefusedKey): string {
  const { localAddress = '', remoteAddress = '', remotePort = 0 } = destination ?? {};
  return `${protocol} ${scope} ${localAddress} ${remoteAddress} ${remotePort} ${netns}`;
}
