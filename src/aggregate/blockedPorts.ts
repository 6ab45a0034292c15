import { type PortSet, unionOf } from './portSet.ts';
import type { EphemeralRange } from './range.ts';

/** What shows that a bind() holds a port: a port counts once, under the first. */
export type KnownEvidence = 'listener' | 'bound' | 'explicit';

/** Usable ports that no connect() may pick, each under its first evidence; undefined where that is unknown. */
export interface BlockedCounts {
  readonly listener: number;
  /** Of sockets that did only bind(). */
  readonly bound: number | undefined;
  /** Of connections whose port was chosen by number; undefined too where buckets tell. */
  readonly explicit: number | undefined;
  /** Of connections that did bind(address, 0) first, as far as it shows; undefined where nothing has to be inferred. */
  readonly inferred: number | undefined;
  /**
   * All others that the kernel's bind buckets show: connections that did bind() first, what a closed listener left behind,
   * TIME_WAIT of bound sockets. undefined where the source does not see them.
   */
  readonly bucket: number | undefined;
}

/** Ports of connections that did bind() first: as the kernel's buckets show, or as inferred. */
export function boundFirst({ bucket, inferred = 0 }: Pick<BlockedCounts, 'bucket' | 'inferred'>): number {
  return bucket ?? inferred;
}

/** Free ports of the half that bind(0) tries first, so that those who bind meanwhile leave one. */
const LEAST_FREE = 16;

/** The usable ports that are known to be blocked for every connect(), outside of VRFs. */
export class BlockedPorts {
  readonly #range: EphemeralRange;
  readonly #ports: Readonly<Record<KnownEvidence, PortSet>>;
  /** Of buckets, or of listeners and bound-only sockets: read in this very sample, and nothing else. */
  readonly #certain: PortSet;
  /** All of them. */
  readonly known: PortSet;

  constructor(range: EphemeralRange) {
    const empty = () => range.usable.emptyCopy();
    this.#range = range;
    this.#ports = { listener: empty(), bound: empty(), explicit: empty() };
    this.#certain = empty();
    this.known = empty();
  }

  /** A port whose bind bucket no connect() may share. All of them come first; what is added later is evidence alone. */
  addBucket(port: number): void {
    if (!this.#range.usable.has(port)) return;
    this.#certain.add(port);
    this.known.add(port);
  }

  /** A listener or a bound-only socket, where the buckets tell which ports are blocked. */
  explain(port: number, evidence: 'listener' | 'bound'): void {
    this.#ports[evidence].add(port);
  }

  /** Listeners come first, then bound-only sockets, as the walks do. */
  add(port: number, evidence: KnownEvidence): void {
    if (!this.#range.usable.has(port)) return;
    if (evidence !== 'explicit') this.#certain.add(port);
    else if (this.known.has(port)) return;
    this.#ports[evidence].add(port);
    this.known.add(port);
  }

  hasListener(port: number): boolean {
    return this.#ports.listener.has(port);
  }

  /** @param sees what the source can tell */
  counts(sees: { readonly bound: boolean; readonly explicit: boolean }, inferred: number): BlockedCounts {
    const listener = this.#ports.listener.size;
    return {
      listener,
      bound: sees.bound ? this.#certain.size - listener : undefined,
      explicit: sees.explicit ? this.#ports.explicit.size : undefined,
      inferred,
      bucket: undefined,
    };
  }

  /** Where all blocked ports are known from their buckets. */
  countsOfBuckets(): BlockedCounts {
    const { listener, bound } = this.#ports;
    const listening = this.known.sizeOfBoth(listener);
    const explained = this.known.sizeOfBoth(unionOf([listener, bound]) ?? listener);
    return {
      listener: listening,
      bound: explained - listening,
      explicit: undefined,
      inferred: undefined,
      bucket: this.known.size - explained,
    };
  }

  /**
   * Whether bind(address, 0) may be given a port that connections hold, as far as is certain. It tries the half that
   * connect() does not prefer first, and goes on to the other where that one is taken, by those who bind meanwhile too.
   * False only where facts say so: every port held there has a listener, a bound-only socket or a blocked bucket. What is
   * inferred of connections is no fact.
   *
   * @param held ports of a parity that any socket holds
   */
  bindMayBlock(held: (parity: number) => number): boolean {
    const { preferredParity, usable } = this.#range;
    const hasUnblocked = (parity: number) => held(parity) > this.#certain.sizeOfParity(parity);
    const triedFirst = 1 - preferredParity;
    const goesOn = usable.sizeOfParity(triedFirst) - held(triedFirst) < LEAST_FREE;
    return hasUnblocked(triedFirst) || (goesOn && hasUnblocked(preferredParity));
  }
}
