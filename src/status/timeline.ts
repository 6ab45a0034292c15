import { fullResults } from '../snapshot/sample.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import { regimesOf } from './regimes.ts';

/** How long is remembered, and in which steps: 240 points fill a small chart, and a bucket holds a few samples. */
export const BUCKET_MS = 15_000;
export const BUCKETS = 240;

/** The four regimes in their order, then all sockets that were read. */
const SERIES = 5;
const SOCKETS = 4;
const REGIME_SERIES = [0, 1, 2, 3] as const;

/** One step of a chart: the highest sample of its bucket. NaN where there was none. */
export interface Point {
  readonly value: number;
  /** No sample of the bucket told more than the most it can be. */
  readonly isEstimated: boolean;
}

/** One namespace's last hour, oldest first, BUCKETS points each. */
export interface Timeline {
  /** Ratios, in the order of REGIMES. */
  readonly regimes: readonly (readonly Point[])[];
  readonly sockets: readonly Point[];
}

/** What one sample adds, one value a series: NaN where it is not known, negative where it is the most it can be. */
export type Sample = Float64Array;

export function sampleOf(namespace: NamespaceSnapshot): Sample {
  const values = new Float64Array(SERIES).fill(Number.NaN);
  for (const [index, { numbers }] of regimesOf(namespace).entries()) {
    if (numbers !== undefined) values[index] = numbers.isEstimated ? -numbers.ratio : numbers.ratio;
  }
  const { tcp, udp } = fullResults(namespace);
  if (tcp !== undefined && udp !== undefined) values[SOCKETS] = tcp.sampledSockets + udp.sampledSockets;
  return values;
}

/** The highest ratio of a sample; -1 where none is known. */
export function worstRatioOf(sample: Sample): number {
  return REGIME_SERIES.reduce<number>((worst, series) => Math.max(worst, ratioOr(sample[series], -1)), -1);
}

/** The highest ratio that a ring holds. */
export interface RingPeak {
  readonly ratio: number;
  readonly bucket: number;
  /** Nothing but estimates is known: it is the most it can have been. */
  readonly isEstimated: boolean;
}

/**
 * A ring of BUCKETS maxima for each series. 64 bits a value: in 32 a ratio of 0.95 would read as one below it. The bucket
 * of number n lies at n modulo BUCKETS; whoever owns the ring clears each bucket before it is used again.
 */
export class TimelineRing {
  readonly #values = new Float64Array(SERIES * BUCKETS).fill(Number.NaN);
  /** What the last sample said; NaN where the namespace was not in it. */
  #last: Sample = new Float64Array(SERIES).fill(Number.NaN);

  /** Bytes that a ring holds for its values. */
  static readonly BYTES = (SERIES * BUCKETS + SERIES) * Float64Array.BYTES_PER_ELEMENT;

  /** Begins a bucket: empty, or as the last sample left things. */
  open(bucket: number, holdsLast: boolean): void {
    for (let series = 0; series < SERIES; series++) {
      this.#values[placeOf(series, bucket)] = holdsLast ? (this.#last[series] ?? Number.NaN) : Number.NaN;
    }
  }

  /** @param isFirst of its bucket: what the bucket was opened with is the sample before */
  add(bucket: number, sample: Sample): void {
    for (let series = 0; series < SERIES; series++) {
      const place = placeOf(series, bucket);
      this.#values[place] = higher(this.#values[place] ?? Number.NaN, sample[series] ?? Number.NaN);
    }
    this.#last = sample;
  }

  /** The namespace is not there any more, or not now. */
  miss(): void {
    this.#last = new Float64Array(SERIES).fill(Number.NaN);
  }

  /**
   * The highest ratio and the bucket it is of; an estimated one only where nothing else is known. undefined: nothing is.
   *
   * @param newest number of the newest bucket
   */
  peak(newest: number): RingPeak | undefined {
    // Known ratios, and estimates: the highest, and its place.
    const [known, estimates] = [new Highest(newest), new Highest(newest)];
    for (let place = 0; place < SOCKETS * BUCKETS; place++) {
      const value = this.#values[place] ?? Number.NaN;
      if (!Number.isNaN(value)) (isEstimated(value) ? estimates : known).offer(Math.abs(value), place);
    }
    if (known.found !== undefined) return { ...known.found, isEstimated: false };
    return estimates.found && { ...estimates.found, isEstimated: true };
  }

  /**
   * @param newest number of the newest bucket that was opened
   * @param until number of the bucket that ends the timeline, `newest` or later
   * @param holdsLast the last sample still stands for what came after it
   */
  read(newest: number, until: number, holdsLast: boolean): Timeline {
    const points = (series: number) =>
      Array.from({ length: BUCKETS }, (_, index): Point => {
        const bucket = until - BUCKETS + 1 + index;
        const after = holdsLast ? this.#last[series] : Number.NaN;
        const value = (bucket > newest ? after : this.#values[placeOf(series, bucket)]) ?? Number.NaN;
        return { value: Math.abs(value), isEstimated: isEstimated(value) };
      });
    return { regimes: REGIME_SERIES.map(points), sockets: points(SOCKETS) };
  }
}

/** The highest of the values offered, the latest of equals. */
class Highest {
  readonly #newest: number;
  #ratio = -1;
  #bucket = Number.NEGATIVE_INFINITY;

  constructor(newest: number) {
    this.#newest = newest;
  }

  offer(ratio: number, place: number): void {
    if (ratio < this.#ratio) return;
    const bucket = this.#newest - modulo(this.#newest - place);
    if (ratio > this.#ratio || bucket > this.#bucket) this.#bucket = bucket;
    this.#ratio = ratio;
  }

  get found(): { readonly ratio: number; readonly bucket: number } | undefined {
    return this.#ratio < 0 ? undefined : { ratio: this.#ratio, bucket: this.#bucket };
  }
}

function placeOf(series: number, bucket: number): number {
  return series * BUCKETS + modulo(bucket);
}

/** Of BUCKETS, never negative. */
function modulo(number: number): number {
  return ((number % BUCKETS) + BUCKETS) % BUCKETS;
}

/** Of two values the higher; whatever is known beats an estimate, which the next whole sample may refute, and that NaN. */
function higher(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  if (Number.isNaN(b)) return a;
  if (isEstimated(a) !== isEstimated(b)) return isEstimated(a) ? b : a;
  return Math.abs(a) >= Math.abs(b) ? a : b;
}

/** An estimate of 0 is -0. */
function isEstimated(value: number): boolean {
  return value < 0 || Object.is(value, -0);
}

function ratioOr(value: number | undefined, fallback: number): number {
  return value === undefined || Number.isNaN(value) ? fallback : Math.abs(value);
}
