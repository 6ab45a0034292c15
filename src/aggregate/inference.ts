import {
  emptyInferenceState,
  type InferenceMemory,
  type InferenceState,
  isIn,
  isTurned,
  putIn,
} from './inferenceState.ts';
import type { PortSet } from './portSet.ts';
import type { EphemeralRange } from './range.ts';
import type { TupleTable } from './tupleTable.ts';
import type { UsedUpHalves } from './usedUpHalves.ts';

/** What helps to judge connections of which their port's parity does not tell. */
export interface Judges {
  /** Local addresses where bind() may have gone on to the first half. */
  readonly usedUp?: UsedUpHalves | undefined;
  /** What the kernel says of a port, where it can be asked. */
  readonly isBlocked?: ((port: number) => boolean | undefined) | undefined;
}

export interface Inference {
  /** Ports that are blocked, none of them in `known`. */
  readonly inferred: PortSet;
  /** Ports that may be blocked or not, none of them in either: the kernel gave no answer. */
  readonly uncertain: PortSet;
  /** For the next sample. */
  readonly memory: InferenceState;
}

/**
 * Infers which ports of the range are blocked by connections that did bind(addr, 0) before connect(): bind(0) takes the
 * half of the range with the other parity first, connect() only when its own destination holds every unblocked port of
 * the first half (__inet_hash_connect(), inet_csk_find_open_port()). Where a connection may have done either, the kernel
 * is asked. The connections found are counted as blocked in their tables. A change of the range's first port turns the
 * halves round, and nothing that was judged before.
 *
 * @param known ports known to be blocked
 * @param next what is remembered is added here
 */
export function inferBlocked(
  tables: readonly [TupleTable, TupleTable],
  range: EphemeralRange,
  known: PortSet,
  memory: InferenceState,
  { usedUp, isBlocked }: Judges = {},
  next: InferenceState = emptyInferenceState(),
): Inference {
  const inferred = range.usable.emptyCopy();
  const uncertain = range.usable.emptyCopy();
  const verdict = (port: number) => {
    if (inferred.has(port)) return true;
    const blocked = uncertain.has(port) ? undefined : isBlocked?.(port);
    if (blocked) inferred.add(port);
    else if (blocked === undefined) uncertain.add(port);
    return blocked;
  };
  const turned = isTurned(memory, range.preferredParity);
  let hasBoundInFirstHalf = next.hasBoundInFirstHalf;
  for (const family of [0, 1] as const) {
    const [before, after] = [memory.families[family], next.families[family]];
    const mayHaveBound = (row: number, port: number) =>
      usedUp?.mayHaveBound(tables[family], row, port) === true;
    const kept = judgeFirstHalf(tables[family], before, after, range, {
      known,
      inferred,
      mayHaveBound,
      verdict,
    });
    hasBoundInFirstHalf ||= kept;
  }
  const usedUpAt = firstHalfUsedUpAt(range, known) - inferred.sizeOfParity(range.preferredParity);
  for (const family of [0, 1] as const) {
    const [before, after] = [memory.families[family], next.families[family]];
    judge(tables[family], usedUpAt, turned, before, after, inferred, verdict);
  }
  uncertain.deleteAll(inferred);
  for (const table of tables) {
    table.turnBlocked(inferred);
    table.countUncertain(uncertain);
  }
  const left = { ...next, preferredParity: range.preferredParity, hasBoundInFirstHalf };
  return { inferred, uncertain, memory: left };
}

interface FirstHalfJudges {
  readonly known: PortSet;
  readonly inferred: PortSet;
  readonly mayHaveBound: (row: number, port: number) => boolean;
  readonly verdict: (port: number) => boolean | undefined;
}

/** Connections in the first half that were judged bound stay so; those that may have done bind() are judged → whether there are any bound. */
function judgeFirstHalf(
  table: TupleTable,
  before: InferenceMemory,
  after: InferenceMemory,
  { preferredParity }: EphemeralRange,
  { known, inferred, mayHaveBound, verdict }: FirstHalfJudges,
): boolean {
  if (!table.keepsPorts) return false;
  const { connections } = table;
  let some = false;
  for (let index = 0; index < connections.size; index++) {
    const port = connections.port(index);
    if ((port & 1) !== preferredParity) continue;
    const row = connections.row(index);
    let isBound = isIn(before.bound, table, row, port);
    if (isBound) {
      if (!known.has(port)) inferred.add(port);
    } else if (!known.has(port) && mayHaveBound(row, port)) {
      const blocked = isIn(before.plain, table, row, port) ? false : verdict(port);
      if (blocked === false) {
        putIn(after.plain, table, row, port);
      }
      isBound = blocked === true;
    }
    if (!isBound) continue;
    putIn(after.bound, table, row, port);
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
  verdict: FirstHalfJudges['verdict'],
): void {
  const connections = table.secondHalf;
  for (let index = 0; index < connections.size; index++) {
    const row = connections.row(index);
    const port = connections.port(index);
    const isPastHalf = table.firstHalf(row) >= usedUpAt || (!turned && isIn(before.pastHalf, table, row));
    const wasPlain = turned || isIn(before.plain, table, row, port);
    let isBound = !(wasPlain || isPastHalf) || isIn(before.bound, table, row, port);
    let isPlain = !isBound && wasPlain;
    if (!isBound && !isPlain) {
      putIn(after.pastHalf, table, row);
      // What connect() could have chosen, bind() could as well.
      const blocked = verdict(port);
      isBound = blocked === true;
      isPlain = blocked === false;
    }
    if (isPlain) {
      putIn(after.plain, table, row, port);
    } else if (isBound) {
      putIn(after.bound, table, row, port);
      inferred.add(port);
    }
  }
}
