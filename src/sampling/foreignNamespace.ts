import { estimatesOf } from '../aggregate/bounded.ts';
import type { SocketTotals } from '../kernel/sockstat.ts';
import type { FoundNamespace } from '../namespaces/found.ts';
import type { NamespaceIdentity } from '../namespaces/labels.ts';
import type { NamespaceSample } from '../snapshot/snapshot.ts';
import type { SampledNamespace } from './sampledNamespace.ts';

/** Another network namespace than the own, and what rounds leave for each other. */
export class ForeignNamespace {
  found: FoundNamespace;
  identity: NamespaceIdentity;
  /** Opened inside at the first survey. Its descriptor keeps the namespace alive: it is closed as soon as nothing else does. */
  sampler: SampledNamespace | undefined;
  /** Sockets it had when it was last measured. */
  size = 0;
  /** When it was last read whole, or found, by performance.now(). */
  waitingSince = performance.now();
  #survey: NamespaceSample | undefined;
  #dump: NamespaceSample | undefined;
  #isDue = false;
  /** The bound's ratio now, and when it was last read whole. */
  #bound = 0;
  #boundAtDump = 0;

  constructor(found: FoundNamespace, identity: NamespaceIdentity) {
    this.found = found;
    this.identity = identity;
  }

  /** What to show: the last whole sample as long as it takes whole ones, else the survey. */
  get latest(): NamespaceSample | undefined {
    return this.#isDue ? (this.#dump ?? this.#survey) : this.#survey;
  }

  /** How full it may be: as it was when it was read whole, and what was opened since; else the bound. */
  get fullness(): number {
    if (this.#dump === undefined) return this.#bound;
    const seen = Math.max(0, ...this.#dump.peaks.map(({ ratio }) => ratio));
    return seen + Math.max(0, this.#bound - this.#boundAtDump);
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** A whole dump is due where the bound exceeds `fullDumpAbove` of the usable ports, or the last dump's truth did. */
  surveyed(survey: NamespaceSample, totals: SocketTotals, fullDumpAbove: number): void {
    this.#survey = survey;
    const usable = survey.range?.usable ?? 0;
    const { tcp, udp } = estimatesOf(totals);
    this.#bound = Math.max(tcp, udp) / Math.max(1, usable);
    const sawEnough = (this.#dump?.peaks ?? []).some(({ ratio }) => ratio > fullDumpAbove);
    this.#isDue = Math.max(tcp, udp) > fullDumpAbove * usable || sawEnough;
    if (!this.#isDue) this.#dump = undefined;
  }

  dumped(sample: NamespaceSample): void {
    this.#dump = sample;
    this.#boundAtDump = this.#bound;
    this.waitingSince = performance.now();
  }

  /** It could not be entered. */
  failed(error: string): void {
    this.#isDue = false;
    this.#dump = undefined;
    this.#survey = {
      detail: 'bounded',
      sampledAtMs: Date.now(),
      collectors: [{ collector: 'enter', seconds: 0, error }],
      bounds: undefined,
      range: undefined,
      tcp: undefined,
      udp: undefined,
      peaks: [],
      owners: { tcp: undefined, udp: undefined },
      canary: [],
    };
  }

  /** It was not where it was found: this round has nothing of it. */
  missed(): void {
    this.#isDue = false;
    this.#dump = undefined;
    this.#survey = undefined;
  }

  closeSource(): void {
    this.sampler?.close();
    this.sampler = undefined;
    this.missed();
  }
}

export function isDue(member: ForeignNamespace): boolean {
  return member.isDue;
}
