import type { SocketRecord } from '../sockets/record.ts';
import { ADDRESS_WORDS, isWildcard, writeLocal } from './address.ts';
import { KeyTable } from './keyTable.ts';
import { PortSet } from './portSet.ts';

/**
 * Which addresses and ports are listened on, to tell inbound connections from outbound ones: an accepted socket has
 * its listener's port, and a local address that the listener takes.
 */
export class ListenerIndex {
  readonly #anyAddress = everyPort();
  readonly #ipv4Wildcard = everyPort();
  readonly #ipv6Wildcard = everyPort();
  readonly #ipv4 = new KeyTable(ADDRESS_WORDS[4] + 1);
  readonly #ipv6 = new KeyTable(ADDRESS_WORDS[6] + 1);

  add(listener: SocketRecord): void {
    const port = listener.localPort;
    this.#anyAddress.add(port);
    if (!isWildcard(listener)) {
      this.#keyed(listener).upsert();
      return;
    }
    if (listener.family === 4) this.#ipv4Wildcard.add(port);
    else {
      this.#ipv6Wildcard.add(port);
      if (!listener.v6only) this.#ipv4Wildcard.add(port);
    }
  }

  /** Whether some listener accepted this connection, or would have. */
  accepts(connection: SocketRecord): boolean {
    const port = connection.localPort;
    if (!this.#anyAddress.has(port)) return false;
    const wildcard = connection.family === 4 ? this.#ipv4Wildcard : this.#ipv6Wildcard;
    return wildcard.has(port) || this.#keyed(connection).find() >= 0;
  }

  /** The table for the record's family, its key written. */
  #keyed(record: SocketRecord): KeyTable {
    const table = record.family === 4 ? this.#ipv4 : this.#ipv6;
    table.key[0] = record.localPort;
    writeLocal(table.key, 1, record);
    return table;
  }
}

function everyPort(): PortSet {
  return new PortSet(0, 65535);
}
