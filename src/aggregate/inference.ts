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
  /** Connections in the second half that connect() chose while that half was the first: before the range changed. */
  readonly plain: KeyTable;
}

/** Of both families. */
export interface NamespaceMemory {
  readonly families: readonly [InferenceMemory, InferenceMemory];
  /** Parity of the half that connect() preferred when they were judged; undefined: nothing was judged yet. */
  readonly preferredParity: number | undefined;
  /** Some connection that is judged bound may be in the first half: it did bind() while that was the second. */
  readonly hasBoundInFirstHalf: boolean;
}

export function emptyMemory(): NamespaceMemory {
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
export function needsEveryConnection(memory: NamespaceMemory, { preferredParity }: EphemeralRange): boolean {
  return memory.hasBoundInFirstHalf || isTurned(memory, preferredParity);
}

function isTurned(memory: NamespaceMemory, preferredParity: number): boolean {
  return memory.preferredParity !== undefined && memory.preferredParity !== preferredParity;
}

/**
 * Infers which ports of the range are blocked by connections that did bind(addr, 0) before connect(): bind(0) takes the
 * half of the range with the other parity first, connect() only when its own destination holds every unblocked port of
 * the first half (__inet_hash_connect(), inet_csk_find_open_port()). The connections found are counted as blocked in
 * their tables. A change of the range's first port turns the halves round, and nothing that was judged before. Knows nothing
 * of sockets that chose their port by number, or by the IP_LOCAL_PORT_RANGE option.
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
  const turned = isTurned(memory, range.preferredParity);
  let hasBoundInFirstHalf = next.hasBoundInFirstHalf;
  for (const family of [0, 1] as const) {
    const kept = keepBound(tables[family], memory.families[family], next.families[family], range, {
      known,
      inferred,
    });
    hasBoundInFirstHalf ||= kept;
  }
  const usedUp = firstHalfUsedUpAt(range, known) - inferred.sizeOfParity(range.preferredParity);
  for (const family of [0, 1] as const) {
    judge(tables[family], usedUp, turned, memory.families[family], next.families[family], inferred);
  }
  for (const table of tables) table.turnBlocked(inferred);
  return { inferred, memory: { ...next, preferredParity: range.preferredParity, hasBoundInFirstHalf } };
}

/** Connections in the first half that were judged bound stay so → whether there are any. */
function keepBound(
  table: TupleTable,
  before: InferenceMemory,
  after: InferenceMemory,
  { preferredParity }: EphemeralRange,
  { known, inferred }: { readonly known: PortSet; readonly inferred: PortSet },
): boolean {
  if (!table.keepsPorts || before.bound.size === 0) return false;
  const { connections } = table;
  let some = false;
  for (let index = 0; index < connections.size; index++) {
    const port = connections.port(index);
    if ((port & 1) !== preferredParity || !has(before.bound, table, connections.row(index), port)) continue;
    writeKey(after.bound, table, connections.row(index), port);
    after.bound.upsert();
    if (!known.has(port)) inferred.add(port);
    some = true;
  }
  return some;
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

/** @param turned the first half was the second until now: what is in the second, connect() preferred, or bind() got last */
function judge(
  table: TupleTable,
  usedUpAt: number,
  turned: boolean,
  before: InferenceMemory,
  after: InferenceMemory,
  inferred: PortSet,
): void {
  const connections = table.secondHalf;
  for (let index = 0; index < connections.size; index++) {
    const row = connections.row(index);
    const port = connections.port(index);
    const isPastHalf = table.firstHalf(row) >= usedUpAt || (!turned && has(before.pastHalf, table, row));
    const wasBound = has(before.bound, table, row, port);
    if (!wasBound && (turned || has(before.plain, table, row, port))) {
      writeKey(after.plain, table, row, port);
      after.plain.upsert();
    } else if (isPastHalf && !wasBound) {
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
  return {
    bound: newDestinationTable(family),
    pastHalf: newDestinationTable(family),
    plain: newDestinationTable(family),
  };
}
