import type { Snapshot } from '../snapshot/snapshot.ts';
import {
  BUCKET_MS,
  BUCKETS,
  type Sample,
  sampleOf,
  type Timeline,
  TimelineRing,
  worstRatioOf,
} from './timeline.ts';

/** Namespaces whose last hour is kept. With TimelineRing.BYTES that limits the history to 603 KiB. */
export const NAMESPACES_KEPT = 64;

/** So many intervals a sample stands for what came after it; then there is a gap. */
const HOLDS_INTERVALS = 3;

/** Where a namespace was highest in the last hour. */
export interface HourPeak {
  readonly netns: string;
  readonly ratio: number;
  /** The namespace was never read whole within the hour: `ratio` is the most it can have been. */
  readonly isEstimated: boolean;
  /** From then until now, to a bucket's length. */
  readonly agoMs: number;
  /** Whether the namespace was in the last sample. */
  readonly isPresent: boolean;
}

/** What there is to draw of the last hour. */
export interface History {
  /** Of a namespace that is remembered. */
  timeline(netns: string, nowMs: number): Timeline | undefined;
  /** Of every namespace that is remembered and has any numbers, the own one first. */
  peaks(nowMs: number): HourPeak[];
}

/**
 * The last hour of the own namespace and of those others that came nearest to exhaustion, in bounded memory however many
 * come and go. Times are by bootTimeMs(): an hour that the machine slept through has passed.
 */
export class RecordedHistory implements History {
  /** In the order they were admitted; the own one is the first. */
  readonly #rings = new Map<string, TimelineRing>();
  #present: ReadonlySet<string> = new Set();
  #own: string | undefined;
  #newest = Number.NEGATIVE_INFINITY;
  #holdsUntilMs = Number.NEGATIVE_INFINITY;

  record(
    { namespaces, intervalSeconds }: Pick<Snapshot, 'namespaces' | 'intervalSeconds'>,
    atMs: number,
  ): void {
    const bucket = bucketOf(atMs);
    this.#openUntil(bucket, atMs);
    this.#holdsUntilMs = atMs + HOLDS_INTERVALS * intervalSeconds * 1000;
    this.#own = namespaces[0]?.netns;
    this.#present = new Set(namespaces.map(({ netns }) => netns));
    this.#forgetEmpty();
    const samples = namespaces.map((namespace): [string, Sample] => [namespace.netns, sampleOf(namespace)]);
    this.#admit(samples, bucket);
    for (const [netns, sample] of samples) this.#rings.get(netns)?.add(bucket, sample);
    for (const [netns, ring] of this.#rings) {
      if (!this.#present.has(netns)) ring.miss();
    }
  }

  remembers(netns: string): boolean {
    return this.#rings.has(netns);
  }

  timeline(netns: string, nowMs: number): Timeline | undefined {
    const until = Math.max(bucketOf(nowMs), this.#newest);
    return this.#rings.get(netns)?.read(this.#newest, until, nowMs <= this.#holdsUntilMs);
  }

  peaks(nowMs: number): HourPeak[] {
    const now = bucketOf(nowMs);
    return [...this.#rings].flatMap(([netns, ring]) => {
      const peak = ring.peak(this.#newest);
      if (peak === undefined || peak.bucket <= now - BUCKETS) return [];
      const agoMs = Math.max(0, now - peak.bucket) * BUCKET_MS;
      const { ratio, isEstimated } = peak;
      return [{ netns, ratio, isEstimated, agoMs, isPresent: this.#present.has(netns) }];
    });
  }

  /** Bytes of all that is remembered. */
  get bytes(): number {
    return this.#rings.size * TimelineRing.BYTES;
  }

  /** Buckets without a sample hold the one before, as long as that may stand for them. */
  #openUntil(bucket: number, atMs: number): void {
    const holds = atMs <= this.#holdsUntilMs;
    for (let next = Math.max(this.#newest + 1, bucket - BUCKETS + 1); next <= bucket; next++) {
      for (const ring of this.#rings.values()) ring.open(next, holds && next < bucket);
    }
    this.#newest = Math.max(this.#newest, bucket);
  }

  /** Namespaces that are gone, and were not there for the last hour either. */
  #forgetEmpty(): void {
    for (const [netns, ring] of this.#rings) {
      if (!this.#present.has(netns) && ring.peak(this.#newest) === undefined) this.#rings.delete(netns);
    }
  }

  /** Gives rings to those who have none: free ones, then those of namespaces that never came as near. */
  #admit(samples: readonly [string, Sample][], bucket: number): void {
    const newcomers = samples
      .filter(([netns]) => !this.#rings.has(netns))
      .map(([netns, sample]) => ({ netns, ratio: netns === this.#own ? Infinity : worstRatioOf(sample) }))
      .toSorted((a, b) => b.ratio - a.ratio);
    if (newcomers.length === 0) return;
    const victims = newcomers.length > NAMESPACES_KEPT - this.#rings.size ? this.#calmestFirst() : [];
    for (const { netns, ratio } of newcomers) {
      if (this.#rings.size >= NAMESPACES_KEPT) {
        const victim = victims.shift();
        if (victim === undefined || victim.ratio >= ratio) return;
        this.#rings.delete(victim.netns);
      }
      const ring = new TimelineRing();
      ring.open(bucket, false);
      this.#rings.set(netns, ring);
    }
  }

  #calmestFirst(): { readonly netns: string; readonly ratio: number }[] {
    return [...this.#rings]
      .filter(([netns]) => netns !== this.#own)
      .map(([netns, ring]) => ({ netns, ratio: ring.peak(this.#newest)?.ratio ?? -1 }))
      .toSorted((a, b) => a.ratio - b.ratio);
  }
}

function bucketOf(ms: number): number {
  return Math.floor(ms / BUCKET_MS);
}
