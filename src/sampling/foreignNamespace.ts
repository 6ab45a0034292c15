import { estimatedHolders } from '../aggregate/estimated.ts';
import { bootTimeMs } from '../kernel/clock.ts';
import type { SocketTotals } from '../kernel/sockstat.ts';
import type { FoundNamespace } from '../namespaces/found.ts';
import type { NamespaceIdentity } from '../namespaces/labels.ts';
import type { EstimatedSample, FullSample, NamespaceSample } from '../snapshot/sample.ts';
import type { SampledNamespace } from './sampledNamespace.ts';

/** Another network namespace than the own, and what rounds leave for each other. */
export class ForeignNamespace {
  found: FoundNamespace;
  identity: NamespaceIdentity;
  /** Opened at the first look. It may have descriptors, which keep the namespace alive: it is closed as soon as nothing else does. */
  opened: SampledNamespace | undefined;
  /** By which the kernel tells it from one that has its inode number later; undefined where it does not. */
  kernelId: string | undefined;
  /** Sockets it had when it was last measured. */
  size = 0;
  /** When it was last read whole, or found, by performance.now(). */
  waitingSince = performance.now();
  #estimated: EstimatedSample | undefined;
  #full: FullSample | undefined;
  #isDue = false;
  /** The estimated ratio now, and when it was last read whole. */
  #estimate = 0;
  #estimateAtFull = 0;

  constructor(found: FoundNamespace, identity: NamespaceIdentity) {
    this.found = found;
    this.identity = identity;
  }

  /** What to show: the last whole sample as long as it takes whole ones, else the estimate. */
  get latest(): NamespaceSample | undefined {
    return this.#isDue ? (this.#full ?? this.#estimated) : this.#estimated;
  }

  /** How full it may be: as it was when it was read whole, and what was opened since; else the estimate. */
  get fullness(): number {
    if (this.#full === undefined) return this.#estimate;
    const seen = Math.max(0, ...this.#full.peaks.map(({ ratio }) => ratio));
    return seen + Math.max(0, this.#estimate - this.#estimateAtFull);
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** It is due to be read whole where it may hold more than `fullDumpAbove` of the usable ports, or did the last time. */
  estimated(sample: EstimatedSample, totals: SocketTotals, fullDumpAbove: number): void {
    this.#estimated = sample;
    const usable = sample.results.range?.usable ?? 0;
    const { tcp, udp } = estimatedHolders(totals);
    this.#estimate = Math.max(tcp, udp) / Math.max(1, usable);
    const sawEnough = (this.#full?.peaks ?? []).some(({ ratio }) => ratio > fullDumpAbove);
    this.#isDue = Math.max(tcp, udp) > fullDumpAbove * usable || sawEnough;
    if (!this.#isDue) this.#full = undefined;
  }

  /** It was read whole. */
  read(sample: FullSample): void {
    this.#full = sample;
    this.#estimateAtFull = this.#estimate;
    this.waitingSince = performance.now();
  }

  /** It was read whole without having to be due. */
  readAlways(sample: FullSample): void {
    this.#isDue = true;
    this.read(sample);
  }

  /** It could not be entered. */
  failed(error: string): void {
    this.missed();
    this.#estimated = {
      detail: 'estimated',
      sampledAtMs: bootTimeMs(),
      outcomes: [{ collector: 'enter', finds: 'names', seconds: 0, error }],
      results: {},
      peaks: [],
    };
  }

  /** It was not where it was found: this round has nothing of it. */
  missed(): void {
    this.#isDue = false;
    this.#full = undefined;
    this.#estimated = undefined;
  }

  closeSource(): void {
    this.opened?.close();
    this.opened = undefined;
    this.missed();
  }
}
