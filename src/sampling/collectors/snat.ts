import { release } from 'node:os';
import { PeakWindow } from '../../aggregate/peak.ts';
import { type SnatRegime, SnatTables } from '../../aggregate/snat.ts';
import { AssumedPorts } from '../../aggregate/snatPorts.ts';
import { evictsClosing } from '../../aggregate/snatRefusals.ts';
import { bootTimeMs } from '../../kernel/clock.ts';
import { NamespaceGone } from '../../namespaces/namespaceSwitcher.ts';
import type { PeakedSnatRegime, SnatSnapshot } from '../../snapshot/results.ts';
import type { Inside } from '../../sockets/source.ts';
import type { ConntrackReader } from '../conntrackReader.ts';
import type { Collector, NamespaceContext, OpenCollector, Round } from './collector.ts';

/** Ports behind a NAT, by destination: a walk of tracked connections, where there are enough of them. */
export const snatCollector: Collector<'snat'> = {
  name: 'snat',
  finds: 'numbers',
  open: (namespace) => {
    const { conntrack, options } = namespace;
    return conntrack === undefined || options.limits.snat === 0
      ? undefined
      : new SnatCollector(namespace, conntrack);
  },
};

/** Whether there is a NAT by now is looked at again after so long. */
const NO_NAT_STANDS_MS = 60_000;

class SnatCollector implements OpenCollector<'snat'> {
  readonly #namespace: NamespaceContext;
  readonly #conntrack: ConntrackReader;
  readonly #inside: Inside;
  readonly #tables: SnatTables;
  readonly #evicts = evictsClosing(release());
  readonly #peaks: { readonly tcp: PeakWindow; readonly udp: PeakWindow };
  #last: SnatSnapshot | undefined;
  #hasNat = true;
  #dueAtMs = Number.NEGATIVE_INFINITY;

  constructor(namespace: NamespaceContext, conntrack: ConntrackReader) {
    const { options } = namespace;
    this.#namespace = namespace;
    this.#conntrack = conntrack;
    this.#inside = namespace.inside ?? ((act) => act());
    this.#tables = new SnatTables(new AssumedPorts(options.snatPorts));
    this.#peaks = { tcp: new PeakWindow(options.peakWindowMs), udp: new PeakWindow(options.peakWindowMs) };
  }

  collect({ results }: Round): SnatSnapshot | undefined {
    const entries = results.conntrack?.entries ?? 0;
    const now = performance.now();
    if (!this.#tables.isWorthIt(entries) || (!this.#hasNat && now < this.#dueAtMs)) {
      this.#last = undefined;
      return undefined;
    }
    const { walkTurns } = this.#namespace;
    if (walkTurns?.ask(this) === false) return this.#last;
    try {
      this.#last = this.#read(entries);
    } finally {
      walkTurns?.took(this, performance.now() - now);
    }
    return this.#last;
  }

  #read(entries: number): SnatSnapshot | undefined {
    try {
      if (!this.#inside(() => this.#walk(entries))) return undefined;
    } catch (error) {
      this.#last = undefined;
      // It has met some of the NAT addresses: the next walk would take them for all.
      this.#tables.begin();
      // Nobody is left whose ports could run out.
      if (!(error instanceof NamespaceGone)) throw error;
      return undefined;
    }
    this.#hasNat = this.#tables.addresses > 0;
    this.#dueAtMs = performance.now() + NO_NAT_STANDS_MS;
    if (!this.#hasNat) return undefined;
    const numbers = this.#tables.summarise(this.#namespace.options.limits.snat, this.#evicts);
    return { ...numbers, tcp: this.#peaked('tcp', numbers.tcp), udp: this.#peaked('udp', numbers.udp) };
  }

  /** → whether that is permitted. Where no NAT address is known it takes a walk to find them first. */
  #walk(entries: number): boolean {
    for (let wasKnown = false; ; wasKnown = true) {
      const known = this.#tables.addresses;
      // Nothing is held by addresses that are not known yet.
      this.#tables.begin(known > 0 ? entries : 0);
      if (!this.#conntrack.dump((record) => this.#tables.add(record))) return false;
      if (known > 0 || wasKnown || this.#tables.addresses === 0) return true;
    }
  }

  #peaked(protocol: 'tcp' | 'udp', regime: SnatRegime): PeakedSnatRegime {
    return { ...regime, peakRatio: this.#peaks[protocol].add(bootTimeMs(), regime.ratio) };
  }
}
