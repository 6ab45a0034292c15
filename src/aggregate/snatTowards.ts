import { type ConntrackRecord, ConntrackStatus } from '../conntrack/record.ts';
import { isDestination, isSource, writeDestination, writeSource } from '../conntrack/tuple.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../kernel/libc.ts';
import type { Family } from '../sockets/record.ts';
import { ADDRESS_WORDS, addressWords, formatAddress } from './address.ts';
import { KeyTable } from './keyTable.ts';
import type { SnatKey } from './snatKeys.ts';

/** A key that connections to an address and port have, and how many. */
export interface SnatTowardsKey {
  readonly key: SnatKey;
  readonly entries: number;
  /** Of these, those that the asked clients made. */
  readonly ofClients: number;
}

/** Whoever sends packets chooses how many there are. */
const MOST_KEYS = 4096;
/** UDP or TCP, remote port and zone, NAT address, remote address. */
const PROTOCOL_WORD = 0;
const PORT_WORD = 1;
const NAT_WORD = 2;

/**
 * Which keys belong to a destination as whoever connects to it names it: an address that DNAT replaces, as that of a
 * Kubernetes service, has one for each backend.
 */
export class SnatTowards {
  readonly #family: Family;
  readonly #words: readonly number[];
  readonly #port: number;
  readonly #protocols: readonly number[];
  readonly #clients: KeyTable;
  readonly #nats: KeyTable;
  readonly #keys: KeyTable;
  readonly #counts: { entries: number; ofClients: number }[] = [];

  /** @param clients addresses; of another family than the destination's they are ignored */
  constructor(
    destination: { readonly address: string; readonly port: number },
    clients: readonly string[] = [],
    protocols: readonly SnatKey['protocol'][] = ['tcp', 'udp'],
  ) {
    const { family, words } = addressWords(destination.address);
    this.#family = family;
    this.#words = words;
    this.#port = destination.port;
    this.#protocols = protocols.map((protocol) => (protocol === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP));
    this.#clients = new KeyTable(words.length);
    this.#nats = new KeyTable(words.length);
    this.#keys = new KeyTable(NAT_WORD + 2 * words.length);
    for (const client of clients.map(addressWords).filter((one) => one.family === family)) {
      this.#clients.key.set(client.words);
      this.#clients.upsert();
    }
  }

  add(record: ConntrackRecord): void {
    const { family, protocol, status, original, reply } = record;
    if (family !== this.#family) return;
    if ((status & ConntrackStatus.SRC_NAT) !== 0) {
      writeDestination(this.#nats.key, 0, reply, family);
      this.#nats.upsert();
    }
    if (!this.#protocols.includes(protocol)) return;
    const { key } = this.#keys;
    if (this.#isTo(record)) {
      key[PORT_WORD] = reply.sourcePort | (reply.zone << 16);
      writeDestination(key, NAT_WORD, reply, family);
      writeSource(key, NAT_WORD + ADDRESS_WORDS[family], reply, family);
    } else if (original.sourcePort === this.#port && isSource(original, this.#words)) {
      key[PORT_WORD] = original.sourcePort | (original.zone << 16);
      writeDestination(key, NAT_WORD, original, family);
      writeSource(key, NAT_WORD + ADDRESS_WORDS[family], original, family);
    } else return;
    key[PROTOCOL_WORD] = protocol;
    this.#count(record);
  }

  /** NAT addresses that the walk has met, whatever their destinations. */
  get addresses(): number {
    return this.#nats.size;
  }

  /** After a walk: those of NAT addresses; the clients' first, and those with most entries. */
  found(): SnatTowardsKey[] {
    return this.#counts
      .flatMap((counts, row) => (this.#isNat(row) ? [{ key: this.#describe(row), ...counts }] : []))
      .toSorted((a, b) => b.ofClients - a.ofClients || b.entries - a.entries);
  }

  #isTo({ original, reply }: ConntrackRecord): boolean {
    return (
      (original.destinationPort === this.#port && isDestination(original, this.#words)) ||
      (reply.sourcePort === this.#port && isSource(reply, this.#words))
    );
  }

  #count({ original, family }: ConntrackRecord): void {
    if (this.#keys.size === MOST_KEYS && this.#keys.find() < 0) return;
    const row = this.#keys.upsert();
    this.#counts[row] ??= { entries: 0, ofClients: 0 };
    const counts = this.#counts[row] as { entries: number; ofClients: number };
    counts.entries++;
    writeSource(this.#clients.key, 0, original, family);
    if (this.#clients.find() >= 0) counts.ofClients++;
  }

  #isNat(row: number): boolean {
    for (let word = 0; word < this.#words.length; word++)
      this.#nats.key[word] = this.#keys.word(row, NAT_WORD + word);
    return this.#nats.find() >= 0;
  }

  #describe(row: number): SnatKey {
    const portAndZone = this.#keys.word(row, PORT_WORD);
    return {
      protocol: this.#keys.word(row, PROTOCOL_WORD) === IPPROTO_TCP ? 'tcp' : 'udp',
      natAddress: formatAddress(this.#keys, row, NAT_WORD, this.#family),
      remoteAddress: formatAddress(this.#keys, row, NAT_WORD + this.#words.length, this.#family),
      remotePort: portAndZone & 0xffff,
      zone: portAndZone >>> 16,
    };
  }
}
