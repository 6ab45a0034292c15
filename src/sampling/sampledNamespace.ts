import { EstimatedSockets } from '../aggregate/bounded.ts';
import { HeldPortsByDestination } from '../aggregate/destinationHolders.ts';
import type { Destination, Destinations } from '../aggregate/destinations.ts';
import { DroppedTotals } from '../aggregate/droppedTotals.ts';
import type { Regime } from '../aggregate/exhaustion.ts';
import type { ExplicitPorts } from '../aggregate/explicitPorts.ts';
import { HeldConnections } from '../aggregate/heldConnections.ts';
import { emptyInferenceState, type InferenceState, needsEveryConnection } from '../aggregate/inference.ts';
import { OwnerPorts, type OwnersSnapshot } from '../aggregate/owners.ts';
import { PeakWindow } from '../aggregate/peak.ts';
import { type EphemeralRange, ephemeralRange, rangeSnapshot } from '../aggregate/range.ts';
import { type TcpSnapshot, TcpSockets } from '../aggregate/tcp.ts';
import { type UdpSnapshot, UdpSockets } from '../aggregate/udp.ts';
import { WatchedDestinations } from '../aggregate/watched.ts';
import { ExporterError } from '../base/errors.ts';
import type { SocketTotals } from '../kernel/sockstat.ts';
import { type PortSysctls, readPortSysctls } from '../kernel/sysctl.ts';
import type { CollectorOutcome, NamespaceSample, Peak, Scope } from '../snapshot/snapshot.ts';
import type { SocketSource } from '../sockets/source.ts';
import { askingBlocked } from './askingBlocked.ts';
import type { Canary } from './canary.ts';
import { collect } from './collect.ts';
import { ExplicitWalk } from './explicitWalk.ts';
import { type NamedHolders, nameHolders } from './namedHolders.ts';
import type { OwnerResolver } from './ownerResolver.ts';
import type { SamplingOptions } from './samplingOptions.ts';
import type { WalkTurns } from './walkTurns.ts';

/**
 * Samples one network namespace again and again; holds what one sample leaves for the next. The calling thread must be in
 * that namespace.
 */
export class SampledNamespace {
  readonly #source: SocketSource;
  readonly #settings: SamplingOptions;
  readonly #ownership: OwnerResolver;
  /** Whether ports are attributed to owners. */
  readonly #attributes: boolean;
  /** Whether also the ports of the fullest destinations are. */
  readonly #watches: boolean;
  readonly #destinations: Destinations;
  readonly #peaks: readonly PeakKey[];
  /** Of the bounds apart: a bound that the next whole sample refutes is no peak of that. */
  readonly #boundPeaks: readonly PeakKey[];
  readonly #canary: Canary | undefined;
  readonly #explicitWalk: ExplicitWalk;
  #memory: InferenceState = emptyInferenceState();
  /** Outbound connections of the last whole sample. */
  #held: HeldConnections | undefined;
  #keepsPorts = false;
  /** Connections held usable ports in the last whole sample, or there was none yet. */
  #hasDestinations = true;
  readonly #dropped = { tcp: new DroppedTotals(), udp: new DroppedTotals() } as const;
  /** The fullest destinations of the last whole sample. */
  #watched: readonly Destination[] = [];

  /**
   * @param source opened in the namespace
   * @param destinations may serve several namespaces, which are sampled one after the other
   * @param canary of this namespace; without one the kernel is not asked
   * @param walkTurns for walks that cost too much to make one for each namespace
   */
  constructor(
    source: SocketSource,
    settings: SamplingOptions,
    ownership: OwnerResolver,
    destinations: Destinations,
    canary?: Canary,
    walkTurns?: WalkTurns,
  ) {
    this.#canary = canary;
    this.#ownership = ownership;
    this.#destinations = destinations;
    this.#source = source;
    this.#explicitWalk = new ExplicitWalk(source, walkTurns);
    this.#settings = settings;
    this.#attributes = source.seesCgroups && settings.limits.owners > 0;
    this.#watches = this.#attributes && settings.destinationOwners && ownership.obstacle === undefined;
    this.#peaks = newPeaks(settings.peakWindowMs);
    this.#boundPeaks = newPeaks(settings.peakWindowMs);
  }

  /**
   * Everything: the range, then TCP, then UDP, then whose they are, then what the kernel says itself. Each is whole or
   * missing.
   */
  sample(): NamespaceSample {
    const outcomes: CollectorOutcome[] = [];
    const base = collect('range', outcomes, () => this.#readRange());
    const tcp = collect('tcp', outcomes, () => this.#sampleTcp(needed(base)));
    const udp = collect('udp', outcomes, () => this.#sampleUdp(needed(base).range));
    const owners = collect('owners', outcomes, () => {
      if (tcp === undefined && udp === undefined) throw new Error('not sampled: no sockets are known');
      const { obstacle } = this.#ownership;
      if (this.#attributes && obstacle !== undefined)
        throw new ExporterError(`owners of sockets stay unknown: ${obstacle}`);
      const named = { tcp: this.#ownersOf(tcp), udp: this.#ownersOf(udp) };
      const { failure } = this.#ownership;
      if (failure !== undefined) throw new Error(failure);
      return named;
    });
    const range = base && rangeSnapshot(base.range, base.sysctls);
    const canary = this.#canary;
    const answers =
      canary &&
      range &&
      collect('canary', outcomes, () => canary.ask({ range, tcp: tcp?.snapshot, udp: udp?.snapshot }));
    return {
      detail: 'full',
      sampledAtMs: Date.now(),
      collectors: outcomes,
      bounds: undefined,
      range,
      tcp: tcp?.snapshot,
      udp: udp?.snapshot,
      peaks: addToPeaks(this.#peaks, tcp?.snapshot, udp?.snapshot),
      owners: owners ?? NO_OWNERS,
      canary: answers ?? [],
    };
  }

  /** What costs next to nothing: the range, who listens, and upper bounds from the kernel's own counts. */
  survey(totals: SocketTotals): NamespaceSample {
    const outcomes: CollectorOutcome[] = [];
    const base = collect('range', outcomes, () => this.#readRange());
    const bounds = collect('tcp', outcomes, () => {
      const tally = new EstimatedSockets(needed(base).range);
      this.#source.tcpListeners((record) => tally.addListener(record));
      return tally.summarise(totals, this.#settings.limits, this.#dropped.tcp);
    });
    return {
      detail: 'bounded',
      sampledAtMs: Date.now(),
      collectors: outcomes,
      bounds,
      range: base && rangeSnapshot(base.range, base.sysctls),
      tcp: undefined,
      udp: undefined,
      peaks: addToPeaks(this.#boundPeaks, bounds && both(bounds.tcp), bounds && both(bounds.udp)),
      owners: NO_OWNERS,
      canary: [],
    };
  }

  /** Who held the ports of `destinations` in the last sample; settings.keepsConnections must be set. */
  holdersOf(destinations: readonly Destination[]): NamedHolders[] {
    const tally = new HeldPortsByDestination(destinations);
    this.#held?.replay((record) => tally.add(record));
    const isTold = this.#source.seesCgroups && this.#ownership.obstacle === undefined;
    const ownerOf = isTold ? (id: number) => this.#ownership.ownerOf(id) : undefined;
    return destinations.map((destination) => {
      const { byCgroup, ...rest } = tally.holdersOf(destination);
      return { owners: nameHolders(byCgroup, ownerOf), ...rest };
    });
  }

  close(): void {
    this.#source.close();
  }

  #readRange(): RangeRead {
    const sysctls = readPortSysctls(this.#settings.procfs);
    return { sysctls, range: ephemeralRange(sysctls) };
  }

  #sampleTcp({ range, sysctls }: RangeRead): Tallied<TcpSnapshot> {
    let explicit = this.#explicitWalk.begin(range.usable, this.#hasDestinations);
    let tally = this.#walkTcp({ range, sysctls }, explicit);
    const isNewlyUsed = !this.#hasDestinations && tally.hasDestinations;
    if (isNewlyUsed) explicit = this.#explicitWalk.begin(range.usable, true);
    if (tally.needsPorts) this.#keepsPorts = true;
    if (isNewlyUsed || tally.needsPorts) tally = this.#walkTcp({ range, sysctls }, explicit);
    explicit?.end();
    this.#keepsPorts = tally.wantsPorts;
    const { snapshot, memory } = askingBlocked(this.#canary, (isBlocked) =>
      tally.summarise(
        this.#settings.limits,
        this.#source.seesBoundOnly,
        this.#memory,
        (id) => this.#ownership.ownerOf(id),
        (index) => this.#source.deviceName(index),
        isBlocked,
      ),
    );
    this.#memory = memory;
    this.#hasDestinations = tally.hasDestinations;
    this.#watched = snapshot.destinations.fullest.slice(0, MOST_WATCHED);
    return { snapshot, ownerPorts: tally.owners };
  }

  #walkTcp({ range, sysctls }: RangeRead, explicit: ExplicitPorts | undefined): TcpSockets {
    const watched = this.#watches ? new WatchedDestinations(this.#watched) : undefined;
    const owners = this.#newOwnerPorts(range);
    // A walk that is made again leaves nothing of the one before.
    this.#held = this.#settings.keepsConnections ? new HeldConnections() : undefined;
    const keepsPorts = this.#keepsPorts || needsEveryConnection(this.#memory, range);
    const options = { held: this.#held, keepsPorts, dropped: this.#dropped.tcp, explicit };
    const tally = new TcpSockets(range, sysctls, this.#destinations, owners, watched, options);
    this.#source.tcpListeners((record) => tally.addListener(record));
    this.#source.tcpConnections((record) => tally.addConnection(record));
    return tally;
  }

  #sampleUdp(range: EphemeralRange): Tallied<UdpSnapshot> {
    const tally = new UdpSockets(range, this.#newOwnerPorts(range));
    this.#source.udp((record) => tally.add(record));
    return {
      snapshot: tally.summarise(
        this.#settings.limits,
        (index) => this.#source.deviceName(index),
        this.#dropped.udp,
      ),
      ownerPorts: tally.owners,
    };
  }

  #ownersOf(tallied: Tallied<unknown> | undefined): OwnersSnapshot | undefined {
    if (!this.#attributes) return undefined;
    return tallied?.ownerPorts.snapshot(this.#settings.limits.owners, (id) => this.#ownership.ownerOf(id));
  }

  /** Over no port at all where nothing is attributed. */
  #newOwnerPorts({ usable }: EphemeralRange): OwnerPorts {
    return new OwnerPorts(this.#attributes ? usable : usable.emptyCopy());
  }
}

/** Destinations whose owners a person is shown. */
const MOST_WATCHED = 50;

type PeakKey = Omit<Peak, 'ratio'> & { readonly window: PeakWindow };

function newPeaks(windowMs: number): PeakKey[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    (['connect', 'bind'] as const).map((scope) => ({ protocol, scope, window: new PeakWindow(windowMs) })),
  );
}

function addToPeaks(keys: readonly PeakKey[], tcp: Regimes | undefined, udp: Regimes | undefined): Peak[] {
  const now = performance.now();
  const peaks: Peak[] = [];
  for (const { protocol, scope, window } of keys) {
    const regime = (protocol === 'tcp' ? tcp : udp)?.[scope];
    if (regime !== undefined) peaks.push({ protocol, scope, ratio: window.add(now, regime.ratio) });
  }
  return peaks;
}

const NO_OWNERS = { tcp: undefined, udp: undefined } as const;

type Regimes = Readonly<Record<Scope, Regime>>;

function both(bound: Regime): Regimes {
  return { connect: bound, bind: bound };
}

interface RangeRead {
  readonly sysctls: PortSysctls;
  readonly range: EphemeralRange;
}

function needed(base: RangeRead | undefined): RangeRead {
  if (base === undefined) throw new Error('not sampled: the ephemeral port range is unknown');
  return base;
}

/** A protocol's part of a sample, and who holds its ports, not yet named. */
interface Tallied<Snapshot> {
  readonly snapshot: Snapshot;
  readonly ownerPorts: OwnerPorts;
}
