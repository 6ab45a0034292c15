import { lookup } from 'node:dns/promises';
import { errorCode } from '../base/errors.ts';
import { withTimeout } from './withTimeout.ts';

/** `resolver_failed`: it did not say whether the name exists, now or ever. */
export type LookupFailure = 'name_not_found' | 'resolver_failed' | 'timeout';

export type LookupOutcome =
  | { readonly found: true; readonly seconds: number; readonly addresses: readonly string[] }
  | {
      readonly found: false;
      readonly seconds: number;
      readonly reason: LookupFailure;
      /** The code of getaddrinfo(3), but ENOTFOUND for EAI_NONAME and EAI_NODATA; ETIMEDOUT for the timeout. */
      readonly error: string;
    };

export interface LookupRequest {
  readonly host: string;
  /** 0 for both. */
  readonly family: 0 | 4 | 6;
  readonly timeoutMs: number;
  /** How long to wait for a lookup to begin at all. */
  readonly longestWaitMs: number;
}

type Resolve = (host: string, family: 0 | 4 | 6) => Promise<readonly string[]>;

/** Milliseconds from which on a lookup hangs. */
const HANGING_MS = 1_000;

/**
 * Names to addresses as applications do it, by getaddrinfo(3): with /etc/hosts, nsswitch.conf and search domains, in the
 * order in which they would try them. It blocks a thread for as long as the resolver takes, and cannot be called back. So
 * only so many run at a time, and never two for one name: who else asks gets that answer. Names whose last lookup hung
 * wait for half of these places, so that a resolver that is gone leaves the names of /etc/hosts their way.
 */
export class Lookups {
  readonly #resolve: Resolve;
  readonly #limit: number;
  readonly #jobs = new Map<string, Job>();
  readonly #hung = new Set<string>();

  constructor(resolve: Resolve = getaddrinfo, limit = halfOfThreadPool()) {
    this.#resolve = resolve;
    this.#limit = limit;
  }

  /** The time it waited for others is none of the answer's seconds, nor of the timeout. Never rejects. */
  async lookup({ host, family, timeoutMs, longestWaitMs }: LookupRequest): Promise<LookupOutcome> {
    const askedAt = performance.now();
    const job = this.#jobOf(host, family);
    const begun = await withTimeout(job.begun, longestWaitMs);
    const from = begun === undefined ? askedAt : performance.now();
    const answer = begun === undefined ? undefined : await withTimeout(job.answer, timeoutMs);
    const seconds = (performance.now() - from) / 1000;
    return { seconds, ...(answer ?? { found: false, reason: 'timeout', error: 'ETIMEDOUT' }) };
  }

  /** One that waits or runs already, or a new one. */
  #jobOf(host: string, family: 0 | 4 | 6): Job {
    const key = `${family} ${host}`;
    let job = this.#jobs.get(key);
    if (job === undefined) {
      job = new Job(key, () => this.#resolve(host, family));
      this.#jobs.set(key, job);
      this.#begin();
    }
    return job;
  }

  /** Begins those whose turn it is, in the order in which they came. */
  #begin(): void {
    const running = [...this.#jobs.values()].filter((job) => job.begunAt !== undefined);
    let free = this.#limit - running.length;
    let freeForHung = Math.ceil(this.#limit / 2) - running.filter((job) => this.#hangs(job)).length;
    for (const job of this.#jobs.values()) {
      if (free <= 0) return;
      const hung = this.#hung.has(job.key);
      if (job.begunAt !== undefined || (hung && freeForHung <= 0)) continue;
      free--;
      if (hung) freeForHung--;
      void this.#run(job);
    }
  }

  async #run(job: Job): Promise<void> {
    const milliseconds = await job.run();
    this.#jobs.delete(job.key);
    if (milliseconds > HANGING_MS) this.#hung.add(job.key);
    else this.#hung.delete(job.key);
    this.#begin();
  }

  #hangs({ key, begunAt = 0 }: Job): boolean {
    return this.#hung.has(key) || performance.now() - begunAt > HANGING_MS;
  }
}

type Answer =
  | { readonly found: true; readonly addresses: readonly string[] }
  | { readonly found: false; readonly reason: LookupFailure; readonly error: string };

class Job {
  readonly key: string;
  readonly begun: Promise<true>;
  readonly answer: Promise<Answer>;
  begunAt: number | undefined;
  readonly #resolve: () => Promise<readonly string[]>;
  #begin: (begun: true) => void = () => {};
  #end: (answer: Answer) => void = () => {};

  constructor(key: string, resolve: () => Promise<readonly string[]>) {
    this.key = key;
    this.#resolve = resolve;
    this.begun = new Promise((begin) => {
      this.#begin = begin;
    });
    this.answer = new Promise((end) => {
      this.#end = end;
    });
  }

  /** → how many milliseconds it took. */
  async run(): Promise<number> {
    const begunAt = performance.now();
    this.begunAt = begunAt;
    this.#begin(true);
    const answer = await answerOf(this.#resolve);
    this.#end(answer);
    return performance.now() - begunAt;
  }
}

async function answerOf(resolve: () => Promise<readonly string[]>): Promise<Answer> {
  try {
    const addresses = await resolve();
    return addresses.length === 0
      ? { found: false, reason: 'name_not_found', error: 'ENOTFOUND' }
      : { found: true, addresses };
  } catch (thrown) {
    const error = errorCode(thrown) ?? 'EUNKNOWN';
    return { found: false, reason: error === 'ENOTFOUND' ? 'name_not_found' : 'resolver_failed', error };
  }
}

async function getaddrinfo(host: string, family: 0 | 4 | 6): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, family, verbatim: true });
  return found.map(({ address }) => address);
}

/**
 * Files and compression use the same threads of libuv, 4 unless UV_THREADPOOL_SIZE says otherwise. It gives lookups no more
 * than half of them (src/threadpool.c, slow_work_thread_threshold); those beyond would wait there, out of our sight.
 */
function halfOfThreadPool(): number {
  const size = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  return size >= 2 && size <= 1024 ? Math.floor(size / 2) : 1;
}
