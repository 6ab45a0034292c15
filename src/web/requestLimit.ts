import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';

/** Milliseconds a client has to read its answer, however slowly: a trickle must not hold a place for ever. */
const ANSWER_MS = 30_000;

/**
 * Answers at most `max` requests at a time, and others with a 503; 0 is no limit. A request counts until its last byte is
 * sent, so that clients that do not read cannot pile up answers. `exempt` are paths that always answer.
 */
export function limitRequests(max: number, exempt: readonly string[]): MiddlewareHandler {
  const running = new Running();
  return async (c, next) => {
    if (exempt.includes(c.req.path)) return next();
    if (max > 0 && running.count >= max) {
      const text = `503 Service Unavailable: limit of ${max} concurrent requests reached\n`;
      return c.text(text, 503, { 'Retry-After': '1' });
    }
    const { outgoing, incoming }: Partial<HttpBindings> = c.env ?? {};
    if (outgoing === undefined || incoming === undefined) return running.during(next);
    running.add(incoming.socket, outgoing);
    return next();
  };
}

class Running {
  count = 0;
  readonly #byConnection = new WeakMap<Socket, Set<ServerResponse>>();

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
    this.count++;
    answer.once('close', () => {
      clearTimeout(deadline);
      if (answers.delete(answer)) this.count--;
    });
  }

  #answersOn(socket: Socket): Set<ServerResponse> {
    let answers = this.#byConnection.get(socket);
    if (answers === undefined) {
      const added = new Set<ServerResponse>();
      socket.once('close', () => {
        this.count -= added.size;
        added.clear();
      });
      this.#byConnection.set(socket, added);
      answers = added;
    }
    return answers;
  }
}
