import type { ServerResponse } from 'node:http';

/** Bytes that may wait for clients to read them. The largest exposition takes a fifth of it. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * What was answered and is not read to its end yet. The same bytes count once, however many read them: they are in memory
 * once. Where it is too much, those who read the oldest are cut off, for they have been slowest.
 */
export class Backlog {
  readonly #most: number;
  /** By what they read; the oldest first. */
  readonly #readers = new Map<Uint8Array, Set<ServerResponse>>();
  #bytes = 0;

  /** @param most bytes */
  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** To be called before `response` is sent with these bytes. */
  add(bytes: Uint8Array, response: ServerResponse): void {
    const readers = this.#readers.get(bytes) ?? this.#begin(bytes);
    readers.add(response);
    response.once('close', () => {
      readers.delete(response);
      if (readers.size === 0 && this.#readers.get(bytes) === readers) this.#end(bytes);
    });
  }

  #begin(bytes: Uint8Array): Set<ServerResponse> {
    this.#bytes += bytes.length;
    for (const [oldest, readers] of this.#readers) {
      if (this.#bytes <= this.#most) break;
      this.#end(oldest);
      for (const response of readers) response.destroy();
    }
    const readers = new Set<ServerResponse>();
    this.#readers.set(bytes, readers);
    return readers;
  }

  #end(bytes: Uint8Array): void {
    this.#readers.delete(bytes);
    this.#bytes -= bytes.length;
  }
}
