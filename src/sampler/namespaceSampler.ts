import { DestinationHoldersTally } from '../aggregate/destinationHolders.ts';
import { type Destination, Destinations } from '../aggregate/destinations.ts';
import { emptyMemory, type NamespaceMemory } from '../aggregate/inference.ts';
import { OwnerPorts, type OwnersSnapshot } from '../aggregate/owners.ts';
import { PeakWindow } from '../aggregate/peak.ts';
import { type EphemeralRange, ephemeralRange, rangeSnapshot } from '../aggregate/range.ts';
import { type TcpSnapshot, TcpTally } from '../aggregate/tcp.ts';
import { type UdpSnapshot, UdpTally } from '../aggregate/udp.ts';
import { type PortSysctls, readPortSysctls } from '../kernel/sysctl.ts';
import type { SocketSource } from '../sockets/source.ts';
import { collect } from './collect.ts';
import { type NamedHolders, nameHolders } from './namedHolders.ts';
import type { Ownership } from './ownership.ts';
import type { SamplerSettings } from './settings.ts';
import type { CollectorOutcome, NamespaceSnapshot, Peak } from './snapshot.ts';

/** Samples one network namespace again and again; holds what one sample leaves for the next. */
export class NamespaceSampler {
  readonly #netns: string;
  readonly #source: SocketSource;
  readonly #settings: SamplerSettings;
  readonly #ownership: Ownership;
  /** Whether ports are attributed to owners. */
  readonly #attributes: boolean;
  readonly #destinations = new Destinations();
  readonly #peaks: readonly (Omit<Peak, 'ratio'> & { readonly window: PeakWindow })[];
  #memory: NamespaceMemory = emptyMemory();

  /** @param source opened in the namespace that the calling thread is in whenever it calls `sample` */
  constructor(netns: string, source: SocketSource, settings: SamplerSettings, ownership: Ownership) {
    this.#ownership = ownership;
    this.#netns = netns;
    this.#source = source;
    this.#settings = settings;
    this.#attributes = source.seesCgroups && settings.limits.owners > 0;
    this.#peaks = (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['connect', 'bind'] as const).map((scope) => ({
        protocol,
        scope,
        window: new PeakWindow(settings.peakWindowMs),
      })),
    );
  }

  /** One round: the range, then TCP, then UDP, then whose they are. Each is whole or missing. */
  sample(): NamespaceSnapshot {
    const outcomes: CollectorOutcome[] = [];
    const base = collect('range', outcomes, () => {
      const sysctls = readPortSysctls(this.#settings.procfs);
      return { sysctls, range: ephemeralRange(sysctls) };
    });
    const needed = (): NonNullable<typeof base> => {
      if (base === undefined) throw new Error('not sampled: the ephemeral port range is unknown');
      return base;
    };
    const tcp = collect('tcp', outcomes, () => this.#sampleTcp(needed().range, needed().sysctls));
    const udp = collect('udp', outcomes, () => this.#sampleUdp(needed().range));
    const described = collect('owners', outcomes, () => this.#describe(tcp, udp));
    return {
      netns: this.#netns,
      collectors: outcomes,
      range: base && rangeSnapshot(base.range, base.sysctls),
      tcp: tcp?.snapshot,
      udp: udp?.snapshot,
      peaks: this.#addToPeaks(tcp?.snapshot, udp?.snapshot),
      listeners: described?.listeners ?? [],
      owners: described?.owners ?? { tcp: undefined, udp: undefined },
    };
  }

  /** One more walk of the connections, for who holds the ports of `destinations`. */
  holdersOf(destinations: readonly Destination[]): NamedHolders[] {
    const { usable } = ephemeralRange(readPortSysctls(this.#settings.procfs));
    const tally = new DestinationHoldersTally(destinations, usable);
    this.#source.tcpConnections((record) => tally.add(record));
    const ownerOf = this.#source.seesCgroups ? (id: number) => this.#ownership.ownerOf(id) : undefined;
    return destinations.map((destination) => {
      const { byCgroup, timeWaitLeftMs } = tally.holdersOf(destination);
      return { owners: nameHolders(byCgroup, ownerOf), timeWaitLeftMs };
    });
  }

  #sampleTcp(range: EphemeralRange, sysctls: PortSysctls): Tallied<TcpSnapshot> {
    const tally = new TcpTally(range, sysctls, this.#destinations, this.#newOwnerPorts(range));
    this.#source.tcpListeners((record) => tally.addListener(record));
    this.#source.tcpConnections((record) => tally.addConnection(record));
    const { snapshot, memory } = tally.summarise(
      this.#settings.limits,
      this.#source.seesBoundOnly,
      this.#memory,
    );
    this.#memory = memory;
    return { snapshot, ownerPorts: tally.owners };
  }

  #sampleUdp(range: EphemeralRange): Tallied<UdpSnapshot> {
    const tally = new UdpTally(range, this.#newOwnerPorts(range));
    this.#source.udp((record) => tally.add(record));
    return { snapshot: tally.summarise(this.#settings.limits), ownerPorts: tally.owners };
  }

  #describe(tcp: Tallied<TcpSnapshot> | undefined, udp: Tallied<UdpSnapshot> | undefined) {
    if (tcp === undefined && udp === undefined) throw new Error('not sampled: no sockets are known');
    const tallied = { tcp, udp };
    const found = (['tcp', 'udp'] as const).flatMap((protocol) =>
      (tallied[protocol]?.snapshot.listeners.fullest ?? []).map((listener) => ({ protocol, listener })),
    );
    this.#ownership.lookUpProcesses(found.map(({ listener }) => listener));
    return {
      listeners: found.map(({ protocol, listener }) => this.#ownership.describe(protocol, listener)),
      owners: { tcp: this.#ownersOf(tcp), udp: this.#ownersOf(udp) },
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

  #addToPeaks(tcp: TcpSnapshot | undefined, udp: UdpSnapshot | undefined): Peak[] {
    const now = performance.now();
    const peaks: Peak[] = [];
    for (const { protocol, scope, window } of this.#peaks) {
      const regime = (protocol === 'tcp' ? tcp : udp)?.[scope];
      if (regime !== undefined) peaks.push({ protocol, scope, ratio: window.add(now, regime.ratio) });
    }
    return peaks;
  }
}

/** A protocol's part of a sample, and who holds its ports, not yet named. */
interface Tallied<Snapshot> {
  readonly snapshot: Snapshot;
  readonly ownerPorts: OwnerPorts;
}
