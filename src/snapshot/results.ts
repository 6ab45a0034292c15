import type { ConntrackSnapshot } from '../aggregate/conntrackTotals.ts';
import type { Destination, DestinationsSnapshot } from '../aggregate/destinations.ts';
import type { EstimatedRegimes, EstimatedTcp } from '../aggregate/estimated.ts';
import type { RangeSnapshot } from '../aggregate/range.ts';
import type { SnatNumbers, SnatRegime } from '../aggregate/snat.ts';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';
import type { UdpSnapshot } from '../aggregate/udp.ts';
import type { CanaryAnswer } from './canaryAnswer.ts';
import type { DestinationOwner, OwnersSnapshot } from './owners.ts';
import type { Protocol } from './protocol.ts';

/** What each collector finds in a namespace whose sockets are all read. A collector is listed in sampling/collectors/. */
export interface Results {
  readonly range: RangeSnapshot;
  readonly tcp: NamedTcpSnapshot;
  readonly udp: UdpSnapshot;
  /** Whose sockets hold the usable ports, of each protocol that was attributed. */
  readonly owners: Readonly<Partial<Record<Protocol, OwnersSnapshot>>>;
  readonly canary: readonly CanaryAnswer[];
  readonly conntrack: ConntrackSnapshot;
  readonly snat: SnatSnapshot;
}

/** What is found where connections are not read. */
export interface EstimatedResults {
  readonly range: RangeSnapshot;
  readonly tcp: EstimatedTcp;
  readonly udp: EstimatedRegimes;
  readonly conntrack: ConntrackSnapshot;
  readonly snat: SnatSnapshot;
}

/** Ports behind a NAT, and the highest ratios of the peak window. */
export interface SnatSnapshot extends SnatNumbers {
  readonly tcp: PeakedSnatRegime;
  readonly udp: PeakedSnatRegime;
}

export interface PeakedSnatRegime extends SnatRegime {
  readonly peakRatio: number;
}

/** TCP, and who holds the ports of the fullest destinations. */
export interface NamedTcpSnapshot extends TcpSnapshot {
  readonly destinations: NamedDestinations;
}

export interface NamedDestinations extends DestinationsSnapshot {
  readonly fullest: readonly NamedDestination[];
}

export interface NamedDestination extends Destination {
  /** Who holds its ports, most first; absent where that was not counted. */
  readonly owners?: readonly DestinationOwner[];
}
