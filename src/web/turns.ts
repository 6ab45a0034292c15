import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import { clientNetworkOf } from './clientNetwork.ts';

/** Requests that may wait for their turn; as many as there are connections. */
const MOST_WAITING = 512;

type Call = (isMine: boolean) => void;

/**
 * Lets those who wait go one by one, each in a turn of the event loop of its own, so that whoever need not wait is served
 * between any two. Clients alternate, however many requests one of them has waiting.
 */
export class Turns {
  readonly #most: number;
  /** By client; the one whose turn is next first. */
  readonly #waiting = new Map<string, Call[]>();
  #count = 0;

  /** @param most that wait at a time */
  constructor(most = MOST_WAITING) {
    this.#most = most;
  }

  /** True once it is its turn; false where too many wait, and none of a client that has more waiting can go for it. */
  wait(client: string): Promise<boolean> {
    const own = this.#waiting.get(client) ?? [];
    if (this.#count >= this.#most && !this.#sendAway(own.length)) return Promise.resolve(false);
    return new Promise((resolve) => {
      own.push(resolve);
      this.#waiting.set(client, own);
      if (this.#count++ === 0) setImmediate(() => this.#next());
    });
  }

  #next(): void {
    for (const [client, calls] of this.#waiting) {
      this.#waiting.delete(client);
      const call = calls.shift();
      if (calls.length > 0) this.#waiting.set(client, calls);
      if (call === undefined) continue;
      if (--this.#count > 0) setImmediate(() => this.#next());
      call(true);
      return;
    }
  }

  /** The last to come of the client that has the most waiting, where that is more than `least`. */
  #sendAway(least: number): boolean {
    let longest: Call[] = [];
    for (const calls of this.#waiting.values()) if (calls.length > longest.length) longest = calls;
    if (longest.length <= least) return false;
    this.#count--;
    longest.pop()?.(false);
    return true;
  }
}

/** Has all requests wait for their turn but those that are first. */
export function takeTurns(isFirst: (c: Context) => boolean): MiddlewareHandler {
  const turns = new Turns();
  return async (c, next) => {
    if (isFirst(c) || (await turns.wait(clientOf(c)))) return next();
    return c.text('503 Service Unavailable: too many requests\n', 503, {
      'Retry-After': '1',
      Connection: 'close',
    });
  };
}

/** Who asks, as in clientNetworkOf. */
export function clientOf(c: Context): string {
  const { incoming }: Partial<HttpBindings> = c.env ?? {};
  return clientNetworkOf(incoming?.socket.remoteAddress);
}
