import { ADDRESS_WORDS } from './address.ts';
import { newDestinationTable } from './destinationKey.ts';
import type { KeyTable } from './keyTable.ts';
import type { PortSet } from './portSet.ts';
import type { EphemeralRange } from './range.ts';
import type { TupleTable } from './tupleTable.ts';

/**
 * What one sample leaves for the next, of one family: how connections in the second half of the range were judged.
 * A dump does not say whether a connected socket had done bind(addr, 0) before, which blocks its port for everyone;
 * the port's parity does, but only until the destination has used up its first half. From then on only memory tells.
 */
export interface InferenceMemory {
  /** Connections judged to have done bind() first: key of the destination, the local port beside the remote one. */
  readonly bound: KeyTable;
  /** Destinations that have been past their first half and still hold ports of the second since. */
  readonly pastHalf: KeyTable;
}

/** Of both families. */
export type NamespaceMemory = readonly [InferenceMemory, InferenceMemory];

export function emptyMemory(): NamespaceMemory {
  return [newMemory(4), newMemory(6)];
}

/**
 * Infers which ports of the range are blocked by connections that did bind(addr, 0) before connect(): bind(0) takes the
 * half of the range with the other parity first, connect() only when its own destination holds every unblocked port of
 * the first half (__inet_hash_connect(), inet_csk_find_open_port()). The connections found are counted as blocked in
 * their tables. Knows nothing of sockets that chose their port by number, or by the IP_LOCAL_PORT_RANGE option.
 *
 * @param known ports known to be blocked: listeners and bound-only sockets
 * @param next what is remembered is added here
 * @returns the inferred ports, none of them in `known`, and the memory for the next sample
 */
export function inferBlocked(
  tables: readonly [TupleTable, TupleTable],
  range: EphemeralRange,
  known: PortSet,
  memory: NamespaceMemory,
  next: NamespaceMemory = emptyMemory(),
): { inferred: PortSet; memory: NamespaceMemory } {
  const inferred = range.usable.emptyCopy();
  const usedUp = firstHalfUsedUpAt(range, known);
  for (const family of [0, 1] as const) {
    judge(tables[family], usedUp, memory[family], next[family], inferred);
  }
  for (const table of tables) table.turnBlocked(inferred);
  return { inferred, memory: next };
}

/**
 * Held ports of the first half from which on a destination may get ports of the second. With an odd range a call leaves
 * one port out. A 64th is let go on large ranges: a dump takes time, and a busy destination past its half has at any
 * moment a few ports of the first half that were just given back.
 */
function firstHalfUsedUpAt(range: EphemeralRange, known: PortSet): number {
  const parity = range.preferredParity;
  const firstHalf = range.usable.sizeOfParity(parity) - known.sizeOfParity(parity);
  return firstHalf - (range.leavesOneOut ? 1 : 0) - (firstHalf >>> 6);
}

function judge(
  table: TupleTable,
  usedUpAt: number,
  before: InferenceMemory,
  after: InferenceMemory,
  inferred: PortSet,
): void {
  const connections = table.secondHalf;
  for (let index = 0; index < connections.size; index++) {
    const row = connections.row(index);
    const port = connections.port(index);
    const isPastHalf = table.firstHalf(row) >= usedUpAt || has(before.pastHalf, table, row);
    if (isPastHalf && !has(before.bound, table, row, port)) {
      writeKey(after.pastHalf, table, row);
      after.pastHalf.upsert();
    } else {
      writeKey(after.bound, table, row, port);
      after.bound.upsert();
      inferred.add(port);
    }
  }
}

function has(memory: KeyTable, table: TupleTable, row: number, port?: number): boolean {
  if (memory.size === 0) return false;
  writeKey(memory, table, row, port);
  return memory.find() >= 0;
}

/** The destination's key; the word with its remote port has room for a local port beside it. */
function writeKey(memory: KeyTable, table: TupleTable, row: number, localPort = 0): void {
  const words = 2 * ADDRESS_WORDS[table.family];
  for (let word = 0; word < words; word++) memory.key[word] = table.keys.word(row, word);
  memory.key[words] = table.keys.word(row, words) | (localPort << 16);
  memory.key[words + 1] = table.keys.word(row, words + 1);
}

function newMemory(family: 4 | 6): InferenceMemory {
  return { bound: newDestinationTable(family), pastHalf: newDestinationTable(family) };
}
