import { ADDRESS_WORDS } from './address.ts';
import { newDestinationTable } from './destinationKey.ts';
import type { KeyTable } from './keyTable.ts';
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
  /**
   * Connections that connect() chose where bind() might have: those in the second half from when that was the first, before
   * the range changed, and those on ports of which the kernel said that they are not blocked.
   */
  readonly plain: KeyTable;
}

/** Of both families. */
export interface InferenceState {
  readonly families: readonly [InferenceMemory, InferenceMemory];
  /** Parity of the half that connect() preferred when they were judged; undefined: nothing was judged yet. */
  readonly preferredParity: number | undefined;
  /** Some connection in the first half is judged bound: it did bind() while that was the second, or the second was full. */
  readonly hasBoundInFirstHalf: boolean;
}

export function emptyInferenceState(): InferenceState {
  return {
    families: [newMemory(4), newMemory(6)],
    preferredParity: undefined,
    hasBoundInFirstHalf: false,
  };
}

/**
 * Whether judging takes every connection, and not those in the second half alone: a first port of the other parity makes
 * the second half the first, where connections that did bind() before stay what they are.
 */
export function needsEveryConnection(memory: InferenceState, { preferredParity }: EphemeralRange): boolean {
  return memory.hasBoundInFirstHalf || isTurned(memory, preferredParity);
}

/** The half that connect() prefers is the other one now. */
export function isTurned(memory: InferenceState, preferredParity: number): boolean {
  return memory.preferredParity !== undefined && memory.preferredParity !== preferredParity;
}

/** Whether the row's destination is in it, or its connection from this port. */
export function isIn(memory: KeyTable, table: TupleTable, row: number, port?: number): boolean {
  if (memory.size === 0) return false;
  writeKey(memory, table, row, port);
  return memory.find() >= 0;
}

export function putIn(memory: KeyTable, table: TupleTable, row: number, port?: number): void {
  writeKey(memory, table, row, port);
  memory.upsert();
}

/** The destination's key; the word with its remote port has room for a local port beside it. */
function writeKey(memory: KeyTable, table: TupleTable, row: number, localPort = 0): void {
  const words = 2 * ADDRESS_WORDS[table.family];
  for (let word = 0; word < words; word++) memory.key[word] = table.keys.word(row, word);
  memory.key[words] = table.keys.word(row, words) | (localPort << 16);
  memory.key[words + 1] = table.keys.word(row, words + 1);
}

function newMemory(family: 4 | 6): InferenceMemory {
  return {
    bound: newDestinationTable(family),
    pastHalf: newDestinationTable(family),
    plain: newDestinationTable(family),
  };
}
