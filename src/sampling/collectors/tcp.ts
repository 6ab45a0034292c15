import { DestinationHolders } from '../../aggregate/destinationHolders.ts';
import type { Destination } from '../../aggregate/destinations.ts';
import type { ExplicitPorts } from '../../aggregate/explicitPorts.ts';
import { HeldConnections } from '../../aggregate/heldConnections.ts';
import {
  emptyInferenceState,
  type InferenceState,
  needsEveryConnection,
} from '../../aggregate/inferenceState.ts';
import { PortsByCgroup } from '../../aggregate/portsByCgroup.ts';
import { TcpSockets } from '../../aggregate/tcp.ts';
import type { TcpSnapshot } from '../../aggregate/tcpSnapshot.ts';
import type { NamedTcpSnapshot } from '../../snapshot/results.ts';
import { askingBlocked } from '../askingBlocked.ts';
import { ExplicitWalk } from '../explicitWalk.ts';
import { nameHolders } from '../nameOwners.ts';
import {
  attributes,
  type Collector,
  type NamespaceContext,
  type OpenCollector,
  type RangeRead,
  type Round,
  rangeOf,
} from './collector.ts';

/** Every TCP socket: listeners first, then all others. */
export const tcpCollector: Collector<'tcp'> = {
  name: 'tcp',
  finds: 'numbers',
  open: (namespace) => new TcpCollector(namespace),
};

/** Destinations whose owners a person is shown. */
const MOST_WATCHED = 50;

/** Holds what one sample of a namespace leaves for the next. */
class TcpCollector implements OpenCollector<'tcp'> {
  readonly #namespace: NamespaceContext;
  readonly #explicitWalk: ExplicitWalk;
  readonly #noMemory = emptyInferenceState();
  #memory: InferenceState = this.#noMemory;
  #keepsPorts = false;
  /** Connections held usable ports in the last sample, or there was none yet. */
  #hasDestinations = true;
  /** The fullest destinations of the last sample. */
  #watched: readonly Destination[] = [];

  constructor(namespace: NamespaceContext) {
    this.#namespace = namespace;
    this.#explicitWalk = new ExplicitWalk(namespace.source, namespace.walkTurns);
  }

  collect(round: Round): NamedTcpSnapshot {
    const read = rangeOf(round);
    const { usable } = read.range;
    let explicit = this.#explicitWalk.begin(usable, this.#hasDestinations);
    let { sockets, ports } = this.#walk(read, explicit);
    const isNewlyUsed = !this.#hasDestinations && sockets.hasDestinations;
    if (isNewlyUsed) explicit = this.#explicitWalk.begin(usable, true);
    if (sockets.needsPorts) this.#keepsPorts = true;
    if (isNewlyUsed || sockets.needsPorts) ({ sockets, ports } = this.#walk(read, explicit));
    explicit?.end();
    this.#keepsPorts = sockets.wantsPorts;
    this.#hasDestinations = sockets.hasDestinations;
    const snapshot = this.#summarise(sockets);
    this.#watched = snapshot.destinations.fullest.slice(0, MOST_WATCHED);
    if (ports !== undefined) round.ports.tcp = ports;
    return this.#named(snapshot);
  }

  #walk({ range, sysctls }: RangeRead, explicit: ExplicitPorts | undefined): Walked {
    const namespace = this.#namespace;
    const { source, destinations, options } = namespace;
    const binds = source.tcpBinds;
    // A walk that is made again leaves nothing of the one before.
    namespace.held = options.keepsConnections ? new HeldConnections() : undefined;
    const ports = attributes(namespace) ? new PortsByCgroup(range.usable) : undefined;
    const sockets = new TcpSockets(range, sysctls, destinations, {
      ports,
      watched: this.#watchesOwners() ? new DestinationHolders(this.#watched) : undefined,
      held: namespace.held,
      keepsPorts: this.#keepsPorts || (binds === undefined && needsEveryConnection(this.#memory, range)),
      explicit,
      seesBinds: binds !== undefined,
    });
    binds?.buckets((record, isBlocked) => sockets.addBucket(record, isBlocked));
    binds?.addresses((record) => sockets.addBoundAddress(record));
    source.tcpListeners((record) => sockets.addListener(record));
    source.tcpConnections((record) => sockets.addConnection(record));
    return { sockets, ports };
  }

  #summarise(sockets: TcpSockets): TcpSnapshot {
    const { source, options, dropped, canary } = this.#namespace;
    const { snapshot, memory } = askingBlocked(canary, (isBlocked) =>
      sockets.summarise({
        limits: options.limits,
        seesBoundOnly: source.sees.boundOnly,
        memory: this.#memory,
        deviceName: (index) => source.deviceName(index),
        isBlocked,
        dropped: dropped.tcp,
      }),
    );
    this.#memory = memory ?? this.#noMemory;
    return snapshot;
  }

  #named(snapshot: TcpSnapshot): NamedTcpSnapshot {
    const { ownerResolver } = this.#namespace;
    const fullest = snapshot.destinations.fullest.map(({ heldBy, ...destination }) =>
      heldBy === undefined
        ? destination
        : { ...destination, owners: nameHolders(heldBy, (id) => ownerResolver.ownerOf(id)) },
    );
    return { ...snapshot, destinations: { ...snapshot.destinations, fullest } };
  }

  /** Whether it is counted who holds the ports of the fullest destinations. */
  #watchesOwners(): boolean {
    const { options, ownerResolver } = this.#namespace;
    return attributes(this.#namespace) && options.destinationOwners && ownerResolver.obstacle === undefined;
  }
}

interface Walked {
  readonly sockets: TcpSockets;
  /** Undefined where ports are not attributed. */
  readonly ports: PortsByCgroup | undefined;
}
