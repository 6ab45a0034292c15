import type { Protocol } from './protocol.ts';
import type { Scope } from './sample.ts';

/** One of the four ways to be given a port. */
export interface PortCall {
  readonly protocol: Protocol;
  readonly scope: Scope;
}

/** Refused calls of one kind. */
export interface RefusedCalls extends PortCall {
  readonly netns: string;
  readonly count: number;
}

/** Calls of TCP connect() that failed, by errno: EADDRNOTAVAIL too, where no port was found. */
export interface ConnectFailures {
  readonly netns: string;
  /** The errno by name; `given_up` where the program did not wait for the answer. */
  readonly error: string;
  readonly count: number;
}

/** Addresses as people write them. */
export interface DestinationKey {
  readonly netns: string;
  /** '0.0.0.0' or '::' for any. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** The certain and the likely ones together. */
export interface DestinationRefusals extends DestinationKey {
  readonly count: number;
}

export interface DestinationFailures extends DestinationKey, ConnectFailures {}

export interface OwnerRefusals {
  readonly netns: string;
  readonly owner: string;
  readonly count: number;
}

/** One refused call, as it happened. */
export interface RefusalEvent extends PortCall {
  readonly netns: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** In all likelihood, and not for certain. */
  readonly isLikely: boolean;
  readonly pid: number;
  readonly process: string;
  readonly owner: string;
  readonly localAddress: string;
  /** undefined where the kernel chose the port before it looked at the destination. */
  readonly remote: { readonly address: string; readonly port: number } | undefined;
}

/** What was refused since the last report: plain data, because it crosses from the sampler to the one that serves it. */
export interface RefusalReport {
  /** Calls whose refusals are counted from now on. */
  readonly counted: readonly PortCall[];
  /** Why those of others are not, in one line each. */
  readonly obstacles: readonly string[];
  /** Certain ones. */
  readonly refused: readonly RefusedCalls[];
  /** On a descriptor that had tried before: refused in all likelihood. */
  readonly likely: readonly RefusedCalls[];
  readonly failures: readonly ConnectFailures[];
  readonly destinations: readonly DestinationRefusals[];
  readonly destinationFailures: readonly DestinationFailures[];
  readonly owners: readonly OwnerRefusals[];
  /** In the order in which they happened. */
  readonly events: readonly RefusalEvent[];
  /** Calls of which no namespace, destination (of the refused, of the failed ones) or owner is known: the kernel's tables were full. */
  readonly lost: Readonly<Record<'namespaces' | 'destinations' | 'failures' | 'owners', number>>;
  /** Refused calls that exporters made, to learn which ports are blocked: they are in nothing else. */
  readonly leftOut: number;
  /** Calls that may not have been counted for a while, in one line each; why. */
  readonly interruptions: readonly string[];
}
