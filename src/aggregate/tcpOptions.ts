import type { DestinationHolders } from './destinationHolders.ts';
import type { DeviceName } from './destinationKey.ts';
import type { DroppedTotals } from './droppedTotals.ts';
import type { ExplicitPorts } from './explicitPorts.ts';
import type { HeldConnections } from './heldConnections.ts';
import type { Judges } from './inference.ts';
import type { InferenceState } from './inferenceState.ts';
import type { Limits } from './limits.ts';
import type { PortsByCgroup } from './portsByCgroup.ts';

/** What a walk of TCP sockets takes, and what it leaves. */
export interface TcpWalkOptions {
  /** Takes who holds which ports. */
  readonly ports?: PortsByCgroup | undefined;
  /** Destinations whose holders are counted. */
  readonly watched?: DestinationHolders | undefined;
  /** Takes the outbound connections that are counted. */
  readonly held?: HeldConnections | undefined;
  /** See `needsPorts`. */
  readonly keepsPorts?: boolean;
  /** Recognises connections whose port was chosen by number; undefined where the source cannot tell. */
  readonly explicit?: ExplicitPorts | undefined;
  /** The walk begins with the kernel's bind buckets, and they alone say which ports are held and blocked. */
  readonly seesBinds?: boolean;
}

/** What a summary takes beside what was walked. */
export interface TcpSummaryOptions {
  readonly limits: Pick<Limits, 'destinations' | 'localAddresses' | 'listeners'>;
  /** Whether sockets that did only bind() were in the walk. */
  readonly seesBoundOnly: boolean;
  /** Of the sample before; that for the next comes back with the summary, where something had to be inferred. */
  readonly memory: InferenceState;
  /** Of the devices that records named. */
  readonly deviceName?: DeviceName;
  /** Asks the kernel where the inference cannot tell. */
  readonly isBlocked?: Judges['isBlocked'] | undefined;
  /** What listeners dropped until now. */
  readonly dropped?: DroppedTotals;
}
