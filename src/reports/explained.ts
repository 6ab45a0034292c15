import type { Destination } from '../aggregate/destinations.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { TcpSnapshot } from '../aggregate/tcp.ts';
import type { UdpSnapshot } from '../aggregate/udp.ts';
import type { NamedHolders } from '../sampler/namedHolders.ts';

/** Without a local address nobody is connected to it; without a remote one it is any that nobody is connected to. */
export type ExplainedDestination = Omit<Destination, 'localAddress' | 'remoteAddress' | 'remotePort'> & {
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
};

export interface Explained {
  readonly netns: string;
  readonly destination: ExplainedDestination;
  /** Addresses that connections to it come from. */
  readonly sourceAddresses: number;
  readonly holders: NamedHolders;
  readonly tcp: TcpSnapshot;
  readonly udp: UdpSnapshot;
  readonly range: RangeSnapshot;
}
