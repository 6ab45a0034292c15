import type { Family } from '../sockets/record.ts';
import { ADDRESS_WORDS } from './address.ts';
import { KeyTable } from './keyTable.ts';
import type { LocalAddresses } from './localAddresses.ts';
import type { PortSet } from './portSet.ts';
import type { EphemeralRange } from './range.ts';
import type { TupleTable } from './tupleTable.ts';

/**
 * The local addresses on which bind(address, 0) may have gone on to ports that connect() prefers, because those it tries
 * before are used up: all of the other parity, or, with SO_REUSEADDR, those of them in the lower half of the range
 * (`attempt_half` of inet_csk_find_open_port(), net/ipv4/inet_connection_sock.c). A connection there on a port that
 * connect() prefers may have called either. A sixteenth is let go: ports come back between a bind() and a sample.
 */
export class UsedUpHalves {
  readonly #preferredParity: number;
  readonly #lowerEnd: number;
  readonly #families: readonly [Addresses, Addresses];

  constructor(range: EphemeralRange, addresses: LocalAddresses) {
    this.#preferredParity = range.preferredParity;
    this.#lowerEnd = lowerEndOf(range);
    this.#families = [usedUpOf(range, addresses, 4), usedUpOf(range, addresses, 6)];
  }

  get isEmpty(): boolean {
    return this.#families.every(({ table }) => table.size === 0);
  }

  /** Whether bind(address, 0) may have been given this port of the half that connect() prefers. */
  mayHaveBound(tuples: TupleTable, row: number, port: number): boolean {
    const { table, isWhole } = this.#families[tuples.family === 4 ? 0 : 1];
    if (table.size === 0 || (port & 1) !== this.#preferredParity) return false;
    for (let word = 0; word < ADDRESS_WORDS[tuples.family]; word++)
      table.key[word] = tuples.keys.word(row, word);
    const found = table.find();
    return found >= 0 && (isWhole[found] === true || port < this.#lowerEnd);
  }
}

interface Addresses {
  readonly table: KeyTable;
  /** By row: all of the other parity is used up, not in the lower half alone. */
  readonly isWhole: boolean[];
}

function usedUpOf(range: EphemeralRange, addresses: LocalAddresses, family: Family): Addresses {
  const table = new KeyTable(ADDRESS_WORDS[family]);
  const isWhole: boolean[] = [];
  const lowerEnd = lowerEndOf(range);
  for (const { address, held } of addresses.heldPorts(family)) {
    const isLower = isUsedUp(range, held, lowerEnd);
    const isAll = isUsedUp(range, held);
    if (!isLower && !isAll) continue;
    table.key.set(address);
    const row = table.upsert();
    isWhole[row] = isAll || isWhole[row] === true;
  }
  return { table, isWhole };
}

function isUsedUp({ usable, preferredParity }: EphemeralRange, held: PortSet, end?: number): boolean {
  const all = usable.sizeOfParity(1 - preferredParity, end);
  return all - held.sizeOfParity(1 - preferredParity, end) <= all >>> 4;
}

/** The kernel searches ranges of fewer than four ports whole. */
function lowerEndOf({ first, last }: EphemeralRange): number {
  const ports = last + 1 - first;
  return ports < 4 ? first : first + ((ports >> 2) << 1);
}
