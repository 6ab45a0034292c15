import { Destinations } from '../aggregate/destinations.ts';
import { emptyMemory, type NamespaceMemory } from '../aggregate/inference.ts';
import { PeakWindow } from '../aggregate/peak.ts';
import { type EphemeralRange, ephemeralRange, rangeSnapshot } from '../aggregate/range.ts';
import { type TcpSnapshot, TcpTally } from '../aggregate/tcp.ts';
import { type UdpSnapshot, UdpTally } from '../aggregate/udp.ts';
import { type PortSysctls, readPortSysctls } from '../kernel/sysctl.ts';
import type { SocketSource } from '../sockets/source.ts';
import { collect } from './collect.ts';
import type { SamplerSettings } from './settings.ts';
import type { CollectorOutcome, NamespaceSnapshot, Peak } from './snapshot.ts';

/** Samples one network namespace again and again; holds what one sample leaves for the next. */
export class NamespaceSampler {
  readonly #netns: string;
  readonly #source: SocketSource;
  readonly #settings: SamplerSettings;
  readonly #destinations = new Destinations();
  readonly #peaks: readonly (Omit<Peak, 'ratio'> & { readonly window: PeakWindow })[];
  #memory: NamespaceMemory = emptyMemory();

  /** @param source opened in the namespace that the calling thread is in whenever it calls `sample` */
  constructor(netns: string, source: SocketSource, settings: SamplerSettings) {
    this.#netns = netns;
    this.#source = source;
    this.#settings = settings;
    this.#peaks = (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['connect', 'bind'] as const).map((scope) => ({
        protocol,
        scope,
        window: new PeakWindow(settings.peakWindowMs),
      })),
    );
  }

  /** One round: the range, then TCP, then UDP. Each is whole or missing. */
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
    return {
      netns: this.#netns,
      collectors: outcomes,
      range: base && rangeSnapshot(base.range),
      tcp,
      udp,
      peaks: this.#addToPeaks(tcp, udp),
    };
  }

  #sampleTcp(range: EphemeralRange, sysctls: PortSysctls): TcpSnapshot {
    const tally = new TcpTally(range, sysctls, this.#destinations);
    this.#source.tcpListeners((record) => tally.addListener(record));
    this.#source.tcpConnections((record) => tally.addConnection(record));
    const { snapshot, memory } = tally.summarise(
      this.#settings.limits,
      this.#source.seesBoundOnly,
      this.#memory,
    );
    this.#memory = memory;
    return snapshot;
  }

  #sampleUdp(range: EphemeralRange): UdpSnapshot {
    const tally = new UdpTally(range);
    this.#source.udp((record) => tally.add(record));
    return tally.summarise(this.#settings.limits.localAddresses);
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
