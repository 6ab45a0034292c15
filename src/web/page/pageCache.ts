import { Packed } from '../packed.ts';

/** A page that is no older is shown again: however many ask for it, it is made once. */
const SAME_FOR_MS = 250;

/** So old a page may be where others are made first. As long as it takes until a page comes to be refreshed. */
const STALE_FOR_MS = 5_000;

/** Pages kept, of as many namespaces. The largest take 100 KB each, plain and zipped. */
const MOST_KEPT = 16;

/** Pages that wait to be made. */
const MOST_WAITING = 4;

/** Share of the time of the main thread in which pages are made, while more of them are asked for. */
const SHARE = 0.2;

interface Made {
  readonly page: Packed;
  readonly atMs: number;
}

interface Waiting {
  /** Who asked first. */
  readonly client: string;
  readonly page: Promise<Packed | undefined>;
  readonly make: () => void;
  readonly giveUp: () => void;
}

/** Makes pages one at a time, with rests in between, which are for everything else. */
export class PageCache<Key> {
  readonly #make: (key: Key) => string;
  readonly #first: Key;
  /** The longest made first. */
  readonly #made = new Map<Key, Made>();
  /** In the order in which they are made. */
  readonly #waiting = new Map<Key, Waiting>();
  #restUntilMs = 0;
  #isScheduled = false;

  /**
   * @param make a page; with hundreds of namespaces it takes tens of milliseconds
   * @param first whose page may always be waited for
   */
  constructor(make: (key: Key) => string, first: Key) {
    this.#make = make;
    this.#first = first;
  }

  /**
   * Undefined where too many others are asked for, by clients that have no more waiting than this one, and none was made of
   * late. Rejects with what `make` throws.
   */
  async get(key: Key, client: string): Promise<Packed | undefined> {
    const made = this.#made.get(key);
    const ageMs = made === undefined ? Number.POSITIVE_INFINITY : performance.now() - made.atMs;
    if (made !== undefined && ageMs < SAME_FOR_MS) return made.page;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return await waiting.page;
    const mayWait = key === this.#first || this.#waiting.size < MOST_WAITING || this.#sendAway(client);
    if (mayWait) return await this.#enqueue(key, client);
    return ageMs < STALE_FOR_MS ? made?.page : undefined;
  }

  #enqueue(key: Key, client: string): Promise<Packed | undefined> {
    const { promise: page, resolve, reject } = withResolvers<Packed | undefined>();
    const make = () => {
      try {
        resolve(this.#makeNow(key));
      } catch (error) {
        reject(error);
      }
    };
    this.#waiting.set(key, { client, page, make, giveUp: () => resolve(undefined) });
    this.#scheduleNext();
    return page;
  }

  /** Of the client with the most pages waiting, where those are more than this one's, the last. */
  #sendAway(client: string): boolean {
    const counts = new Map<string, number>();
    for (const one of this.#waiting.values()) counts.set(one.client, (counts.get(one.client) ?? 0) + 1);
    const [heaviest, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
    const last = [...this.#waiting].findLast(([key, one]) => one.client === heaviest && key !== this.#first);
    if (last === undefined || most <= (counts.get(client) ?? 0)) return false;
    this.#waiting.delete(last[0]);
    last[1].giveUp();
    return true;
  }

  #scheduleNext(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const restMs = this.#restUntilMs - performance.now();
    if (restMs > 0) setTimeout(() => this.#next(), restMs);
    else setImmediate(() => this.#next());
  }

  #next(): void {
    this.#isScheduled = false;
    for (const [key, { make }] of this.#waiting) {
      this.#waiting.delete(key);
      make();
      break;
    }
    if (this.#waiting.size > 0) this.#scheduleNext();
  }

  #makeNow(key: Key): Packed {
    const startedMs = performance.now();
    try {
      const page = new Packed(this.#make(key));
      this.#made.delete(key);
      this.#made.set(key, { page, atMs: startedMs });
      const [oldest] = this.#made.keys();
      if (oldest !== undefined && this.#made.size > MOST_KEPT) this.#made.delete(oldest);
      return page;
    } finally {
      const endedMs = performance.now();
      this.#restUntilMs = endedMs + (endedMs - startedMs) * (1 / SHARE - 1);
    }
  }
}

/** Promise.withResolvers, which Node.js 20 has not. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onReason) => {
    resolve = onValue;
    reject = onReason;
  });
  return { promise, resolve, reject };
}
