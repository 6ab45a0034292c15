import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState } from '../sockets/record.ts';
import type { DeviceName } from './destinationKey.ts';
import type { Destinations, DestinationsSnapshot } from './destinations.ts';
import type { DroppedTotals } from './droppedTotals.ts';
import { type Regime, regime } from './exhaustion.ts';
import type { HeldConnections } from './heldConnections.ts';
import type { NamespaceMemory } from './inference.ts';
import type { Limits } from './limits.ts';
import { Listeners, type ListenersSnapshot } from './listeners.ts';
import { LocalAddresses, type LocalAddressesSnapshot, type LoopbackAvailable } from './localAddresses.ts';
import { OwnerPorts } from './owners.ts';
import type { PortSet } from './portSet.ts';
import type { EphemeralRange } from './range.ts';
import {
  type ConnectionCount,
  connectionCounts,
  familyGroup,
  type SocketCount,
  StateCounts,
  tcpSocketCounts,
} from './states.ts';
import { type Vrf, Vrfs } from './vrfs.ts';
import type { NameOfCgroup, WatchedDestinations } from './watched.ts';

/** Everything one sample says of TCP in one namespace. */
export interface TcpSnapshot {
  readonly sampledSockets: number;
  readonly sockets: readonly SocketCount[];
  readonly connections: readonly ConnectionCount[];
  /** Usable ports no connect() may pick, each under its first evidence; `bound` undefined where it is unknown. */
  readonly blocked: {
    readonly listener: number;
    readonly bound: number | undefined;
    readonly inferred: number;
  };
  /** Distinct usable ports with any socket. */
  readonly usedPorts: number;
  /** Ports a destination that nobody uses yet can have. */
  readonly capacity: number;
  readonly connect: Regime;
  readonly bind: Regime;
  readonly destinations: DestinationsSnapshot;
  readonly localAddresses: LocalAddressesSnapshot;
  readonly onLoopback: LoopbackAvailable;
  /**
   * bind(address, 0) may be given a port that only connections hold, as far as is certain. Before Linux 6.18 the port then
   * stays blocked for every connect() until the last of those connections is gone.
   */
  readonly bindMayBlock: boolean;
  readonly listeners: ListenersSnapshot;
}

export interface TallyOptions {
  /** Takes the outbound connections that are counted. */
  readonly held?: HeldConnections | undefined;
  /** What listeners dropped until now. */
  readonly dropped?: DroppedTotals;
  /** See `needsPorts`. */
  readonly keepsPorts?: boolean;
}

/** Free ports of the half that bind(0) tries first, so that those who bind meanwhile leave one. */
const LEAST_FREE = 16;

/** One sample of TCP sockets: listeners first, then all others, then the summary. */
export class TcpTally {
  readonly #range: EphemeralRange;
  readonly #sysctls: PortSysctls;
  readonly #destinations: Destinations;
  readonly #sockets = new StateCounts();
  readonly #connections = new StateCounts();
  readonly #listeners: Listeners;
  readonly #localAddresses: LocalAddresses;
  /** Who holds the ports; named by whoever knows the cgroups. */
  readonly owners: OwnerPorts;
  readonly #listenerPorts: PortSet;
  readonly #boundPorts: PortSet;
  /** Of listeners and bound-only sockets together. */
  readonly #known: PortSet;
  readonly #held: HeldConnections | undefined;
  readonly #vrfs: Vrfs;
  readonly #keepsPorts: boolean;
  readonly #dropped: DroppedTotals | undefined;

  /**
   * @param destinations cleared and reused, because it is the one large part
   * @param watched destinations whose owners are counted
   */
  constructor(
    range: EphemeralRange,
    sysctls: PortSysctls,
    destinations: Destinations,
    owners = new OwnerPorts(range.usable),
    watched?: WatchedDestinations,
    { held, keepsPorts = false, dropped }: TallyOptions = {},
  ) {
    this.#dropped = dropped;
    this.#held = held;
    this.#range = range;
    this.#sysctls = sysctls;
    this.#destinations = destinations;
    destinations.clear(watched, keepsPorts);
    this.#keepsPorts = keepsPorts;
    this.#vrfs = new Vrfs(range, sysctls, keepsPorts);
    this.#localAddresses = new LocalAddresses(range.usable, !sysctls.l3mdevAccept);
    this.#listeners = new Listeners(range.usable);
    this.owners = owners;
    this.#listenerPorts = range.usable.emptyCopy();
    this.#boundPorts = range.usable.emptyCopy();
    this.#known = range.usable.emptyCopy();
  }

  addListener(record: SocketRecord): void {
    this.#sockets.add(familyGroup(record.socketFamily), record.state);
    this.#listeners.add(record);
    this.#localAddresses.add(record);
    this.owners.add(record);
    this.#block(record, this.#listenerPorts);
  }

  addConnection(record: SocketRecord): void {
    this.#sockets.add(familyGroup(record.socketFamily), record.state);
    this.#localAddresses.add(record);
    this.owners.add(record);
    if (record.state === TcpState.CLOSE) {
      this.#block(record, this.#boundPorts);
      return;
    }
    const vrf = this.#vrfs.of(record);
    const isUsable = this.#range.usable.has(record.localPort);
    const isInbound = (!isUsable || this.#listensOn(record, vrf)) && this.#listeners.accepts(record);
    this.#connections.add(isInbound ? 0 : 1, record.state);
    if (isInbound || !isUsable) return;
    this.#held?.add(record);
    if (vrf === undefined) this.#destinations.add(record, this.#range, this.#known, this.#sysctls);
    else vrf.addOutbound(record);
  }

  /**
   * Some connect() meets the connections of two destinations, and not all ports were kept: what would be summarised counts
   * too few ports. Make another tally that keeps them.
   */
  get needsPorts(): boolean {
    return !this.#keepsPorts && this.meetsOthers;
  }

  /** The next tally should keep all ports from the start. */
  get meetsOthers(): boolean {
    return this.#destinations.meetsOthers || this.#vrfs.meetsOthers;
  }

  /**
   * @param memory of the sample before; the one for the next comes back with the summary
   * @param deviceName of the devices that records named
   * @param nameOf the owner of a watched destination's sockets by their cgroup
   */
  summarise(
    limits: Limits,
    seesBoundOnly: boolean,
    memory: NamespaceMemory,
    nameOf?: NameOfCgroup,
    deviceName: DeviceName = (index) => `if${index}`,
  ): { snapshot: TcpSnapshot; memory: NamespaceMemory } {
    const inference = this.#destinations.inferBlocked(this.#range, this.#known, memory);
    const usable = this.#range.usableCount;
    const listener = this.#listenerPorts.size;
    const known = this.#known.size;
    const inferred = inference.inferred.size;
    const capacity = usable - known - inferred;
    const { worst, addresses } = this.#localAddresses.summarise(limits.localAddresses, deviceName);
    const outside = this.#destinations.snapshot(limits.destinations, capacity, usable, nameOf, deviceName);
    const { destinations, worstAvailable } = this.#vrfs.addTo(
      outside,
      limits.destinations,
      deviceName,
      memory,
      inference.memory,
    );
    return {
      memory: inference.memory,
      snapshot: {
        sampledSockets: this.#sockets.total,
        sockets: tcpSocketCounts(this.#sockets, seesBoundOnly),
        connections: connectionCounts(this.#connections),
        blocked: { listener, bound: seesBoundOnly ? known - listener : undefined, inferred },
        usedPorts: this.#localAddresses.usedPorts,
        capacity,
        connect: regime(Math.min(worstAvailable, this.#destinations.worstAvailable(capacity)), usable),
        bind: worst,
        destinations,
        localAddresses: addresses,
        onLoopback: this.#localAddresses.availableOnLoopback(),
        bindMayBlock: this.#bindMayBlock(),
        listeners: this.#listeners.snapshot(limits.listeners, undefined, this.#dropped),
      },
    };
  }

  /**
   * It tries the half that connect() does not prefer first, and goes on to the other where that one is taken, by those who
   * bind meanwhile too. False only where facts say so: every port held there has a listener or a bound-only socket. What
   * is inferred of connections is no fact.
   */
  #bindMayBlock(): boolean {
    const { preferredParity, usable } = this.#range;
    const held = (parity: number) => this.#localAddresses.usedOfParity(parity);
    const hasUnblocked = (parity: number) => held(parity) > this.#known.sizeOfParity(parity);
    const triedFirst = 1 - preferredParity;
    const goesOn = usable.sizeOfParity(triedFirst) - held(triedFirst) < LEAST_FREE;
    return hasUnblocked(triedFirst) || (goesOn && hasUnblocked(preferredParity));
  }

  #block(record: SocketRecord, evidence: PortSet): void {
    const port = record.localPort;
    if (!this.#range.usable.has(port)) return;
    const vrf = this.#vrfs.of(record);
    if (vrf !== undefined) {
      vrf.block(record);
      return;
    }
    evidence.add(port);
    this.#known.add(port);
  }

  /** Whether a usable port has a listener on this side of VRFs: the same address elsewhere is another one. */
  #listensOn({ localPort }: SocketRecord, vrf: Vrf | undefined): boolean {
    return vrf === undefined ? this.#listenerPorts.has(localPort) : vrf.listensOn(localPort);
  }
}
