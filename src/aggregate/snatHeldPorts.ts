import { fullest } from './fullest.ts';
import { growTo } from './growTo.ts';

/** How many ports of a key somebody holds, and who, by the client's row. */
export interface ClientPorts {
  readonly client: number;
  readonly ports: number;
}

/** More is believed when it comes. */
const MOST_EXPECTED = 1 << 22;

/**
 * Ports that keys hold, key by key in the order that entries came in: columns that grow, and are filled anew at every walk.
 * A key is the row of a table, and so is a client.
 */
export class SnatHeldPorts {
  /** For each key how many ports it was seen with, and the last of them: index + 1 into those below, 0 for none. */
  #counts = new Uint32Array(0);
  #last = new Uint32Array(0);
  /** Every port that is held: its number, its bits of `Held` above 16, where the one before it is, and by whom. */
  #held = new Uint32Array(64);
  #before = new Uint32Array(64);
  #clients = new Uint32Array(64);
  #size = 0;

  /** @param expected ports at most: room for them at once spares the memory of what would have to grow */
  clear(expected: number): void {
    this.#size = 0;
    const room = Math.min(expected, MOST_EXPECTED);
    if (room <= this.#held.length) return;
    this.#held = new Uint32Array(room);
    this.#before = new Uint32Array(room);
    this.#clients = new Uint32Array(room);
  }

  /** For a key's first port, where keys are numbered up to `capacity`. */
  begin(key: number, capacity: number): void {
    if (this.#counts.length < capacity) {
      this.#counts = growTo(this.#counts, capacity);
      this.#last = growTo(this.#last, capacity);
    }
    this.#counts[key] = 0;
    this.#last[key] = 0;
  }

  add(key: number, port: number, bits: number, client: number): void {
    if (this.#size === this.#held.length) this.#grow();
    this.#held[this.#size] = port | (bits << 16);
    this.#before[this.#size] = this.#last[key] as number;
    this.#clients[this.#size] = client;
    this.#last[key] = ++this.#size;
    this.#counts[key] = (this.#counts[key] as number) + 1;
  }

  /** Ports it holds, or more: what two entries hold counts twice. */
  atMost(key: number): number {
    return this.#counts[key] as number;
  }

  /** Writes what holds each port from the first on: bits of `Held`. */
  fill(key: number, first: number, held: Uint8Array): void {
    for (let next = this.#last[key] as number; next > 0; next = this.#before[next - 1] as number) {
      const one = this.#held[next - 1] as number;
      const index = (one & 0xffff) - first;
      held[index] = (held[index] as number) | (one >>> 16);
    }
  }

  /** Those who hold most, as many as the limit, most first. What several hold is the port of the last one met. */
  mostOf(key: number, limit: number): ClientPorts[] {
    const isCounted = new Uint8Array(65_536);
    const ports = new Map<number, number>();
    for (let next = this.#last[key] as number; next > 0; next = this.#before[next - 1] as number) {
      const port = (this.#held[next - 1] as number) & 0xffff;
      if (isCounted[port] === 1) continue;
      isCounted[port] = 1;
      const client = this.#clients[next - 1] as number;
      ports.set(client, (ports.get(client) ?? 0) + 1);
    }
    const all = [...ports].map(([client, count]) => ({ client, ports: count }));
    const most = fullest(limit, all.length, (at) => (all[at] as ClientPorts).ports);
    return most.map((at) => all[at] as ClientPorts);
  }

  #grow(): void {
    this.#held = growTo(this.#held, 2 * this.#size);
    this.#before = growTo(this.#before, 2 * this.#size);
    this.#clients = growTo(this.#clients, 2 * this.#size);
  }
}
