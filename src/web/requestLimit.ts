import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import { clientNetworkOf } from './clientNetwork.ts';

/** Milliseconds a client has to read its answer, however slowly: a trickle must not hold a place for ever. */
const ANSWER_MS = 30_000;

/** Milliseconds a client has to read its answer before its place may go to a scrape. */
const READ_MS = 1_000;

/**
 * Answers at most `max` requests at a time, and others with a 503; 0 is no limit. A request counts until its last byte is
 * sent, so that clients that do not read cannot pile up answers. Half of the places are for scrapes alone, and where those
 * are taken, a scrape has that of the slowest reader. `exempt` are paths that always answer.
 */
export function limitRequests(max: number, scrape: string, exempt: readonly string[]): MiddlewareHandler {
  const running = new Running();
  return async (c, next) => {
    const { path } = c.req;
    if (exempt.includes(path)) return next();
    const most = path === scrape ? max : Math.ceil(max / 2);
    if (max > 0 && running.count >= most && !(path === scrape && running.cutOffSlowest())) {
      const text = `503 Service Unavailable: limit of ${max} concurrent requests reached\n`;
      return c.text(text, 503, { 'Retry-After': '1' });
    }
    const { outgoing, incoming }: Partial<HttpBindings> = c.env ?? {};
    if (outgoing === undefined || incoming === undefined) return running.during(next);
    running.add(incoming.socket, outgoing);
    return next();
  };
}

interface Reader {
  readonly client: string;
  readonly sinceMs: number;
}

class Running {
  count = 0;
  readonly #byConnection = new WeakMap<Socket, Set<ServerResponse>>();
  /** The longest first. */
  readonly #readers = new Map<ServerResponse, Reader>();

  async during(next: () => Promise<void>): Promise<void> {
    this.count++;
    try {
      await next();
    } finally {
      this.count--;
    }
  }

  /** A connection may carry several, one behind the other: when it breaks, only the first of them hears of it. */
  add(socket: Socket, answer: ServerResponse): void {
    if (socket.destroyed) return;
    const answers = this.#answersOn(socket);
    const deadline = setTimeout(() => socket.destroy(), ANSWER_MS);
    answers.add(answer);
    this.#readers.set(answer, {
      client: clientNetworkOf(socket.remoteAddress),
      sinceMs: performance.now(),
    });
    this.count++;
    answer.once('close', () => {
      clearTimeout(deadline);
      this.#readers.delete(answer);
      if (answers.delete(answer)) this.count--;
    });
  }

  /** Of the client with the most answers. Whether there was one that had its whole answer, and a while to read it. */
  cutOffSlowest(): boolean {
    const before = performance.now() - READ_MS;
    const counts = new Map<string, number>();
    for (const { client } of this.#readers.values()) counts.set(client, (counts.get(client) ?? 0) + 1);
    const slow = [...this.#readers].filter(
      ([answer, { sinceMs }]) => answer.writableEnded && !answer.destroyed && sinceMs <= before,
    );
    const countOf = ({ client }: Reader) => counts.get(client) ?? 0;
    const [slowest] = slow.toSorted(([, a], [, b]) => countOf(b) - countOf(a));
    slowest?.[0].destroy();
    return slowest !== undefined;
  }

  #answersOn(socket: Socket): Set<ServerResponse> {
    let answers = this.#byConnection.get(socket);
    if (answers === undefined) {
      const added = new Set<ServerResponse>();
      socket.once('close', () => {
        this.count -= added.size;
        for (const answer of added) this.#readers.delete(answer);
        added.clear();
      });
      this.#byConnection.set(socket, added);
      answers = added;
    }
    return answers;
  }
}
