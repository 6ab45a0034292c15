import type { Regime } from './regimes.ts';

/** How a call ended that did not succeed. */
export type Ending =
  /** For want of a port: certain. */
  | (Regime & { readonly kind: 'refused' })
  /**
   * A connect() of TCP on a descriptor that had tried before: for want of a port too, unless its route depends on the
   * source port, bind() chose a port whose connection to this destination exists, or a security module held back the SYN.
   */
  | (Regime & { readonly kind: 'looks_refused' })
  /** A connect() of TCP that failed otherwise: the errno by name. EADDRNOTAVAIL is of a port that the program chose itself. */
  | { readonly kind: 'failed'; readonly error: string }
  /** A connect() of TCP that the program gave up, by close(), shutdown() or another connect(), before there was an answer. */
  | { readonly kind: 'given_up' };

export interface NamespaceId {
  /** Inode number of the network namespace. */
  readonly netns: number;
  /** No other namespace ever has it, as an inode number may be given again. */
  readonly cookie: string;
}

export interface NamespaceCount extends NamespaceId {
  readonly ending: Ending;
  readonly count: number;
}

/** Addresses as people write them, mapped ones as IPv4's. */
export interface CallAddresses {
  /** That was bound or would have been used; '0.0.0.0' or '::' for any, which it always is of a UDP connect(). */
  readonly localAddress: string;
  /** undefined of bind(), and of UDP, whose port is chosen before the kernel looks at the destination. */
  readonly remote: { readonly address: string; readonly port: number } | undefined;
}

export interface DestinationCount extends NamespaceCount, CallAddresses {}

export interface OwnerCount extends NamespaceCount {
  /** Of the cgroup v2 that the socket was made in: the inode number of its directory. */
  readonly cgroupId: number;
}

/** One refused call, as it happened. */
export interface RefusalEvent extends NamespaceId, CallAddresses {
  readonly ending: Ending;
  /** Milliseconds since the epoch, by the clock of now. */
  readonly atMs: number;
  /** Of the process and the thread, as they are outside of every PID namespace. */
  readonly pid: number;
  readonly tid: number;
  /** What the thread calls itself, fit for a label. */
  readonly comm: string;
  readonly cgroupId: number;
}

export interface OutcomeCount {
  readonly ending: Ending;
  readonly count: number;
}

/** All that happened since it was last asked. Nothing of it is told twice. */
export interface RefusalDeltas {
  /** Of the whole machine: exact, whatever there was no room for. */
  readonly host: readonly OutcomeCount[];
  readonly namespaces: readonly NamespaceCount[];
  /** Of refusals, certain or not. */
  readonly destinations: readonly DestinationCount[];
  readonly owners: readonly OwnerCount[];
  /** In the order in which they happened. */
  readonly events: readonly RefusalEvent[];
  /** Of the connect() calls that failed otherwise. */
  readonly failures: readonly DestinationCount[];
  /** Calls that are in `host`, but not here, since there was no room for more. */
  readonly lost: Readonly<Record<'namespaces' | 'destinations' | 'owners' | 'events' | 'failures', number>>;
  /** Calls that exporters made themselves, to learn what is blocked: they are in nothing else. */
  readonly leftOut: number;
  /**
   * How often the kernel did not run a program because it had interrupted it on the same processor. Most of what is missed so
   * is no failure, of which there are many more; what it was is unknown.
   */
  readonly missed: number;
  /** Somebody detached their programs, or the kernel failed: what happened since then is unknown. See `Refusals.regimes`. */
  readonly interrupted: readonly Regime[];
}
