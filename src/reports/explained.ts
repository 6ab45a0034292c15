import type { Destination } from '../aggregate/destinations.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { SnatExplained } from '../aggregate/snatHolders.ts';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';
import type { UdpSnapshot } from '../aggregate/udp.ts';
import type { SocketProcesses } from '../owners/socketProcesses.ts';
import type { NamedHolders } from '../snapshot/owners.ts';
import type { WorstRegime } from '../status/worst.ts';
import type { Refused } from './refusedCalls.ts';

/** Without a local address nobody is connected to it; without a remote one it is any that nobody is connected to. */
export type ExplainedDestination = Omit<Destination, 'localAddress' | 'remoteAddress' | 'remotePort'> & {
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
};

/** A destination as another network namespace knows it. */
export interface KnownElsewhere extends Pick<Destination, 'localAddress' | 'available' | 'ratio'> {
  readonly netns: string;
  /** The words of what explains it there. */
  readonly command: readonly string[];
}

/** A NAT on the way to a destination, as its tracked connections have it. */
export interface KnownSnat
  extends Pick<SnatExplained, 'natAddress' | 'remoteAddress' | 'remotePort' | 'first' | 'last'>,
    Pick<SnatExplained, 'available' | 'ratio' | 'refusalRatio'> {
  /** Whose NAT it is; it may be the explained one's own. */
  readonly netns: string;
  /** Connections of the explained namespace pass it; false: only those of others are tracked there. */
  readonly isPassed: boolean;
  /** The words of what explains it. */
  readonly command: readonly string[];
}

/** All of it from one walk of the kernel's tables. */
export interface Explained {
  readonly netns: string;
  /** The namespace was asked for by `--netns`. */
  readonly isNetnsNamed: boolean;
  /** A file to enter the namespace by, where commands must be told; undefined where the shell is in it. */
  readonly netnsPath: string | undefined;
  readonly destination: ExplainedDestination;
  /** Addresses, and devices, that connections to it come from. */
  readonly sourceAddresses: number;
  readonly holders: NamedHolders;
  readonly processes: SocketProcesses;
  readonly tcp: TcpSnapshot;
  readonly udp: UdpSnapshot;
  readonly range: RangeSnapshot;
  /** Of the namespace's four ways to be given a port the worst. */
  readonly worst: WorstRegime | undefined;
  /** Calls of the namespace that were refused meanwhile; undefined where that was not counted. */
  readonly refused: Refused | undefined;
  /** Other namespaces that know the destination, the fullest first; a text: why they could not be looked into. */
  readonly elsewhere: readonly KnownElsewhere[] | string;
  /** NATs on the way, those that drop most first; `refusal`: why not all were looked at. */
  readonly snat: { readonly layers: readonly KnownSnat[]; readonly refusal: string | undefined };
}
