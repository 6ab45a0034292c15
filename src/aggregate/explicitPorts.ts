import type { Family, SocketRecord } from '../sockets/record.ts';
import { ADDRESS_WORDS } from './address.ts';
import { newDestinationTable, writeDestinationOf } from './destinationKey.ts';
import type { KeyTable } from './keyTable.ts';
import { PortSet } from './portSet.ts';

/**
 * Connections whose port an application chose by number, bind(address, port): it is blocked for every other connect(). A
 * walk of its own finds them (`SocketSource.tcpExplicitPorts`); from then on they are recognised while they live, also in
 * TIME_WAIT, which no longer tells.
 */
export class ExplicitPorts {
  #known = newConnections();
  /** Found by the walk that this round made, or a round before that was broken off; undefined where none was made. */
  #walked: Connections | undefined;
  #next = newConnections();
  /** Ports of all that this round may meet. */
  #candidates = new PortSet(0, 0);

  /**
   * Before the connections are walked, once a round.
   *
   * @param usable ports of others are left out
   * @param walk finds them; undefined: those known are only recognised
   */
  begin(usable: PortSet, walk?: (visit: (record: SocketRecord) => void) => void): void {
    const candidates = usable.emptyCopy();
    const walked = walk === undefined ? this.#walked : newConnections();
    walk?.((record) => {
      if (usable.has(record.localPort)) put(walked as Connections, record);
    });
    for (const table of [...this.#known, ...(walked ?? [])]) {
      for (let row = 0; row < table.size; row++) candidates.add(portAt(table, row));
    }
    this.#walked = walked;
    this.#candidates = candidates;
    this.restart();
  }

  /** Before they are walked once more in the same round. */
  restart(): void {
    this.#next = newConnections();
  }

  /** Whether a connection on this port may be one of them. */
  mayBe(port: number): boolean {
    return this.#candidates.has(port);
  }

  /** Whether this outbound connection is one, which is remembered. */
  recognise(record: SocketRecord): boolean {
    if (!this.#candidates.has(record.localPort)) return false;
    const inWalk = this.#walked !== undefined && has(this.#walked, record);
    // What a walk did not show is another connection by now, unless it is one that cannot tell.
    const mayHaveForgotten = this.#walked === undefined || record.inode === 0;
    if (!inWalk && !(mayHaveForgotten && has(this.#known, record))) return false;
    put(this.#next, record);
    return true;
  }

  /** After the round: what was recognised is what is known. */
  end(): void {
    this.#known = this.#next;
    this.#walked = undefined;
  }
}

type Connections = readonly [KeyTable, KeyTable];

function newConnections(): Connections {
  return [newDestinationTable(4), newDestinationTable(6)];
}

function put(connections: Connections, record: SocketRecord): void {
  keyed(connections, record).upsert();
}

function has(connections: Connections, record: SocketRecord): boolean {
  return keyed(connections, record).find() >= 0;
}

/** The record's key stands in the table; the word with its remote port has room for the local port beside it. */
function keyed([ipv4, ipv6]: Connections, record: SocketRecord): KeyTable {
  const table = record.family === 4 ? ipv4 : ipv6;
  writeDestinationOf(table.key, record);
  const word = portWord(record.family);
  table.key[word] = (table.key[word] as number) | (record.localPort << 16);
  return table;
}

function portAt(table: KeyTable, row: number): number {
  return table.word(row, portWord(table.key.length === 2 * ADDRESS_WORDS[4] + 2 ? 4 : 6)) >>> 16;
}

function portWord(family: Family): number {
  return 2 * ADDRESS_WORDS[family];
}
