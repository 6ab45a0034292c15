import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState } from '../sockets/record.ts';
import { BlockedPorts, type KnownEvidence } from './blockedPorts.ts';
import { type Destinations, leastOf } from './destinations.ts';
import { regime } from './exhaustion.ts';
import type { ExplicitPorts } from './explicitPorts.ts';
import type { HeldConnections } from './heldConnections.ts';
import type { Inference, Judges } from './inference.ts';
import type { InferenceState } from './inferenceState.ts';
import { Listeners } from './listeners.ts';
import { LocalAddresses } from './localAddresses.ts';
import type { PortsByCgroup } from './portsByCgroup.ts';
import type { EphemeralRange } from './range.ts';
import { connectionCounts, familyGroup, StateCounts, tcpSocketCounts } from './states.ts';
import type { TcpSummaryOptions, TcpWalkOptions } from './tcpOptions.ts';
import type { TcpSnapshot } from './tcpSnapshot.ts';
import { UsedUpHalves } from './usedUpHalves.ts';
import { type Vrf, Vrfs } from './vrfs.ts';

/** One sample of TCP sockets: bind buckets where they are seen, listeners, then all others, then the summary. */
export class TcpSockets {
  readonly #range: EphemeralRange;
  readonly #sysctls: PortSysctls;
  readonly #destinations: Destinations;
  readonly #sockets = new StateCounts();
  readonly #connections = new StateCounts();
  readonly #listeners: Listeners;
  readonly #localAddresses: LocalAddresses;
  readonly #ports: PortsByCgroup | undefined;
  readonly #blocked: BlockedPorts;
  readonly #explicit: ExplicitPorts | undefined;
  readonly #held: HeldConnections | undefined;
  readonly #vrfs: Vrfs;
  readonly #keepsPorts: boolean;
  readonly #seesBinds: boolean;

  /** @param destinations cleared and reused, because it is the one large part */
  constructor(
    range: EphemeralRange,
    sysctls: PortSysctls,
    destinations: Destinations,
    { ports, watched, held, keepsPorts = false, explicit, seesBinds = false }: TcpWalkOptions = {},
  ) {
    this.#seesBinds = seesBinds;
    this.#held = held;
    this.#range = range;
    this.#sysctls = sysctls;
    this.#destinations = destinations;
    destinations.clear(watched, keepsPorts);
    this.#keepsPorts = keepsPorts;
    this.#vrfs = new Vrfs(range, sysctls, keepsPorts);
    this.#localAddresses = new LocalAddresses(range.usable, !sysctls.l3mdevAccept);
    this.#listeners = new Listeners(range.usable);
    this.#ports = ports;
    this.#blocked = new BlockedPorts(range);
    this.#explicit = explicit;
    explicit?.restart();
  }

  /** A port that is held, in the VRF of the record or outside of all. */
  addBucket({ localPort, vrf }: SocketRecord, isBlocked: boolean): void {
    if (!isBlocked) return;
    const inside = this.#vrfs.of({ vrf });
    if (inside !== undefined) inside.blockPort(localPort);
    else if (vrf === 0) this.#blocked.addBucket(localPort);
  }

  /** An address that a port is held on. */
  addBoundAddress(record: SocketRecord): void {
    this.#localAddresses.add(record);
  }

  addListener(record: SocketRecord): void {
    this.#sockets.add(familyGroup(record.socketFamily), record.state);
    this.#listeners.add(record);
    if (!this.#seesBinds) this.#localAddresses.add(record);
    this.#ports?.add(record);
    this.#block(record, 'listener');
  }

  addConnection(record: SocketRecord): void {
    this.#sockets.add(familyGroup(record.socketFamily), record.state);
    if (!this.#seesBinds) this.#localAddresses.add(record);
    this.#ports?.add(record);
    if (record.state === TcpState.CLOSE) {
      this.#block(record, 'bound');
      return;
    }
    const vrf = this.#vrfs.of(record);
    const isUsable = this.#range.usable.has(record.localPort);
    const isInbound = (!isUsable || this.#listensOn(record, vrf)) && this.#listeners.accepts(record);
    this.#connections.add(isInbound ? 0 : 1, record.state);
    if (isInbound || !isUsable) return;
    this.#held?.add(record);
    if (this.#explicit?.recognise(record)) this.#block(record, 'explicit');
    const isUndecided = this.#explicit?.mayBe(record.localPort) === true;
    const known = vrf?.known ?? this.#blocked.known;
    (vrf?.destinations ?? this.#destinations).add(record, this.#range, known, this.#sysctls, isUndecided);
  }

  /** Some connection that connect() made holds a usable port. */
  get hasDestinations(): boolean {
    return this.#destinations.size > 0 || this.#vrfs.hasDestinations;
  }

  /**
   * Some connect() meets the connections of two destinations, or bind() may have chosen ports that connect() prefers, and
   * not all ports were kept: what would be summarised is not the whole truth. Walk again and keep them.
   */
  get needsPorts(): boolean {
    return !this.#keepsPorts && this.wantsPorts;
  }

  /** The next walk should keep all ports from the start. */
  get wantsPorts(): boolean {
    if (this.#destinations.meetsOthers || this.#vrfs.meetsOthers) return true;
    return !this.#seesBinds && !this.#usedUp().isEmpty;
  }

  summarise({
    limits,
    seesBoundOnly,
    memory,
    deviceName = (index) => `if${index}`,
    isBlocked,
    dropped,
  }: TcpSummaryOptions): { snapshot: TcpSnapshot; memory: InferenceState | undefined } {
    const { known } = this.#blocked;
    const inference = this.#seesBinds ? undefined : this.#infer(memory, isBlocked);
    if (inference === undefined) this.#destinations.settle(this.#range, known);
    const usable = this.#range.usableCount;
    const inferred = inference?.inferred.size ?? 0;
    const uncertain = inference?.uncertain.size ?? 0;
    const available = usable - known.size - inferred;
    const capacity = { available, availableAtLeast: available - uncertain };
    const { worst, addresses } = this.#localAddresses.summarise(limits.localAddresses, deviceName);
    const outside = this.#destinations.snapshot(limits.destinations, capacity, usable, deviceName);
    const { destinations, worst: worstInVrfs } = this.#vrfs.addTo(
      outside,
      limits.destinations,
      deviceName,
      inference && { before: memory, after: inference.memory },
    );
    const connect = leastOf(worstInVrfs, this.#destinations.worst(capacity));
    return {
      memory: inference?.memory,
      snapshot: {
        sampledSockets: this.#sockets.total,
        sockets: tcpSocketCounts(this.#sockets, seesBoundOnly),
        connections: connectionCounts(this.#connections),
        blocked: this.#seesBinds
          ? this.#blocked.countsOfBuckets()
          : this.#blocked.counts({ bound: seesBoundOnly, explicit: this.#explicit !== undefined }, inferred),
        usedPorts: this.#localAddresses.usedPorts,
        uncertain,
        capacity: available,
        capacityAtLeast: capacity.availableAtLeast,
        connect: regime(connect.available, usable, connect.availableAtLeast),
        bind: worst,
        destinations,
        localAddresses: addresses,
        onLoopback: this.#localAddresses.availableOnLoopback(),
        bindMayBlock: this.#blocked.bindMayBlock((parity) => this.#localAddresses.usedOfParity(parity)),
        listeners: this.#listeners.snapshot(limits.listeners, undefined, dropped),
      },
    };
  }

  #infer(memory: InferenceState, isBlocked: Judges['isBlocked']): Inference {
    const usedUp = this.#keepsPorts ? this.#usedUp() : undefined;
    const { known } = this.#blocked;
    return this.#destinations.inferBlocked(this.#range, known, memory, { usedUp, isBlocked });
  }

  #usedUp(): UsedUpHalves {
    return new UsedUpHalves(this.#range, this.#localAddresses);
  }

  #block(record: SocketRecord, evidence: KnownEvidence): void {
    const vrf = this.#vrfs.of(record);
    if (this.#seesBinds && evidence !== 'explicit') {
      // Which ports are blocked is known; this is why.
      if (vrf === undefined) this.#blocked.explain(record.localPort, evidence);
      else vrf.explain(record);
    } else if (vrf === undefined) this.#blocked.add(record.localPort, evidence);
    else vrf.block(record);
  }

  /** Whether a usable port has a listener on this side of VRFs: the same address elsewhere is another one. */
  #listensOn({ localPort }: SocketRecord, vrf: Vrf | undefined): boolean {
    return vrf === undefined ? this.#blocked.hasListener(localPort) : vrf.listensOn(localPort);
  }
}
