import { createHmac, randomBytes } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { auth } from 'hono/utils/basic-auth';
import { loadBcrypt } from './bcrypt.ts';
import type { WebConfig } from './config/webConfig.ts';

/** bcrypt looks at no more bytes: beyond them any password would do that begins with the right one. */
const LONGEST_PASSWORD_BYTES = 72;

/** Attempts that may be under way, one of them computing. At cost 10 the last one waits for about half a second. */
const MOST_ATTEMPTS = 8;

/** Pairs of user and password that were right. Each user has one, and more only after changes of the file. */
const MOST_REMEMBERED = 1_000;

export type Verdict = 'granted' | 'denied' | 'busy';

/** The right password and how to compute it: `bcrypt.compare`, or a count of its calls in tests. */
export type Compare = (password: string, hash: string) => Promise<boolean>;

/**
 * Checks user and password against bcrypt hashes, one at a time, so that a flood of wrong ones takes no more than one
 * core; whoever comes while too many wait is told `busy`. What was right once is remembered, as an HMAC under a key of
 * this process, and costs nothing from then on.
 */
export class PasswordCheck {
  readonly #compare: Compare;
  readonly #key = randomBytes(32);
  readonly #granted = new Set<string>();
  readonly #running = new Map<string, Promise<boolean>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(compareHash: Compare = compareByBcrypt) {
    this.#compare = compareHash;
  }

  /** @param users bcrypt hashes by user, at least one */
  async check(users: WebConfig['users'], username: string, password: string): Promise<Verdict> {
    const hash = users.get(username);
    const mark = this.#markOf(username, password, hash);
    if (this.#granted.has(mark)) return 'granted';
    let attempt = this.#running.get(mark);
    if (attempt === undefined) {
      if (this.#running.size >= MOST_ATTEMPTS) return 'busy';
      attempt = this.#inTurn(() => this.#isRight(users, hash, password));
      this.#running.set(mark, attempt);
      const forget = () => this.#running.delete(mark);
      attempt.then(forget, forget);
    }
    if (!(await attempt)) return 'denied';
    this.#remember(mark);
    return 'granted';
  }

  /** Whether it was right before, or nobody is asked for one. */
  isRemembered(users: WebConfig['users'], request: Request): boolean {
    if (users.size === 0) return true;
    const { username, password } = auth(request) ?? {};
    if (username === undefined || password === undefined) return false;
    return this.#granted.has(this.#markOf(username, password, users.get(username)));
  }

  /**
   * Every refusal costs what the most expensive hash costs, whether the user is known or not: after a hash of cost c,
   * dummies of cost c, c+1, ... up to one below the highest add up to just that, since each cost is twice the one before.
   */
  async #isRight(users: WebConfig['users'], hash: string | undefined, password: string): Promise<boolean> {
    const highest = Math.max(...[...users.values()].map(costOf));
    const fits = Buffer.byteLength(password) <= LONGEST_PASSWORD_BYTES;
    const matches = await this.#compare(password, hash ?? dummyHash(highest));
    if (hash === undefined) return false;
    if (matches && fits) return true;
    for (let cost = costOf(hash); cost < highest; cost++) await this.#compare(password, dummyHash(cost));
    return false;
  }

  async #inTurn(attempt: () => Promise<boolean>): Promise<boolean> {
    const mine = this.#last.then(attempt);
    this.#last = mine.catch(() => {});
    return await mine;
  }

  /** The hash is part of it: a password that was changed is not remembered any more. */
  #markOf(username: string, password: string, hash: string | undefined): string {
    const text = JSON.stringify([username, password, hash]);
    return createHmac('sha256', this.#key).update(text).digest('base64');
  }

  #remember(mark: string): void {
    const [oldest] = this.#granted;
    if (oldest !== undefined && this.#granted.size >= MOST_REMEMBERED) this.#granted.delete(oldest);
    this.#granted.add(mark);
  }
}

async function compareByBcrypt(password: string, hash: string): Promise<boolean> {
  return await (await loadBcrypt()).compare(password, hash);
}

/** The exponent in `$2b$10$…`: each is twice the work of the one before. */
function costOf(hash: string): number {
  return Number(hash.split('$', 3)[2]);
}

/** A hash of the right form that no password is known for. */
function dummyHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
}

/** Lets nobody through without one of the users' passwords, as long as there are users. */
export function requirePassword(config: () => WebConfig, passwords: PasswordCheck): MiddlewareHandler {
  return async (c, next) => {
    const { users } = config();
    if (users.size === 0) return next();
    const credentials = auth(c.req.raw);
    const verdict =
      credentials === undefined
        ? 'denied'
        : await passwords.check(users, credentials.username, credentials.password);
    if (verdict === 'granted') return next();
    if (verdict === 'busy') {
      return c.text('503 Service Unavailable: too many passwords to check\n', 503, {
        'Retry-After': '1',
        Connection: 'close',
      });
    }
    return c.text('401 Unauthorized\n', 401, {
      // Who has no password keeps no connection either.
      Connection: 'close',
      'WWW-Authenticate': 'Basic realm="port-exporter", charset="UTF-8"',
    });
  };
}
