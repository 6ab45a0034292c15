import { clientNetworkOf } from './clientNetwork.ts';

/** What a slot needs of a connection (net.Socket). */
export interface Occupant {
  readonly remoteAddress?: string | undefined;
  destroy(): void;
  once(event: 'close', listener: () => void): void;
}

/** Requests under way on one connection: those after the first were sent without waiting for an answer, which hardly anybody does. */
const MOST_REQUESTS = 8;

/** Milliseconds an answer may be under way before its connection goes for the sake of another from the same client. */
const PATIENCE_MS = 1_000;

interface Client {
  /** Nothing to answer, the longest first: those that shake hands, send, or are kept alive. */
  readonly idle: Set<Slot>;
  /** With a request that is not answered to the last byte, the longest first. */
  readonly busy: Set<Slot>;
}

interface Slot {
  readonly occupant: Occupant;
  readonly client: Client;
  /** Requests under way. */
  requests: number;
  busySinceMs: number;
}

/**
 * The connections that are open. Where there are too many, room is made at the client that has the most, idle ones
 * first, so that a flood from one address costs no other address anything, and new requests of its own little.
 */
export class Slots {
  readonly #most: number;
  readonly #slots = new Map<Occupant, Slot>();
  readonly #clients = new Map<string, Client>();
  readonly #idle = new Set<Slot>();

  /** @param most connections open at a time */
  constructor(most: number) {
    this.#most = most;
  }

  /** False where there is no room, nor can any be made: then it is not taken up. It leaves when it closes. */
  take(occupant: Occupant): boolean {
    const network = clientNetworkOf(occupant.remoteAddress);
    const own = this.#clients.get(network);
    while (this.#slots.size >= this.#most) {
      const slot = this.#leastMissed(own);
      if (slot === undefined) return false;
      this.#leave(slot);
      slot.occupant.destroy();
    }
    const client = this.#clients.get(network) ?? { idle: new Set(), busy: new Set() };
    this.#clients.set(network, client);
    const slot: Slot = { occupant, client, requests: 0, busySinceMs: 0 };
    this.#slots.set(occupant, slot);
    this.#rest(slot);
    occupant.once('close', () => {
      this.#leave(slot);
      if (sizeOf(client) === 0 && this.#clients.get(network) === client) this.#clients.delete(network);
    });
    return true;
  }

  /** A request has come on it. What is returned is to be called once it is answered; undefined where that is too many. */
  begin(occupant: Occupant): (() => void) | undefined {
    const slot = this.#slots.get(occupant);
    if (slot === undefined || slot.requests >= MOST_REQUESTS) return undefined;
    if (slot.requests++ === 0) {
      slot.client.idle.delete(slot);
      this.#idle.delete(slot);
      slot.client.busy.add(slot);
      slot.busySinceMs = performance.now();
    }
    return () => {
      if (--slot.requests > 0 || this.#slots.get(occupant) !== slot) return;
      slot.client.busy.delete(slot);
      this.#rest(slot);
    };
  }

  #rest(slot: Slot): void {
    slot.client.idle.add(slot);
    this.#idle.add(slot);
  }

  #leave(slot: Slot): void {
    if (this.#slots.get(slot.occupant) === slot) this.#slots.delete(slot.occupant);
    this.#idle.delete(slot);
    slot.client.idle.delete(slot);
    slot.client.busy.delete(slot);
  }

  /** The connection to close for one more of `own`, which is undefined for a client that has none yet. */
  #leastMissed(own: Client | undefined): Slot | undefined {
    const ownSize = own === undefined ? 1 : sizeOf(own) + 1;
    let fullest = own;
    let most = ownSize;
    for (const client of this.#clients.values()) {
      if (sizeOf(client) <= most) continue;
      fullest = client;
      most = sizeOf(client);
    }
    // As many clients as connections: none has more than another.
    if (fullest === undefined) return first(this.#idle);
    const idle = first(fullest.idle);
    const busy = first(fullest.busy);
    if (idle !== undefined || busy === undefined || fullest !== own) return idle ?? busy;
    return performance.now() - busy.busySinceMs >= PATIENCE_MS ? busy : undefined;
  }
}

function sizeOf({ idle, busy }: Client): number {
  return idle.size + busy.size;
}

function first<T>(set: ReadonlySet<T> | undefined): T | undefined {
  return set?.values().next().value;
}
