import type { Family } from '../sockets/record.ts';
import type { ConntrackTuple } from './record.ts';

/** Words of an address, one or four. */
type Words = readonly number[];

export function isSource(tuple: ConntrackTuple, words: Words): boolean {
  const { source0, source1, source2, source3 } = tuple;
  if (source0 !== words[0]) return false;
  return words.length === 1 || (source1 === words[1] && source2 === words[2] && source3 === words[3]);
}

export function isDestination(tuple: ConntrackTuple, words: Words): boolean {
  const { destination0, destination1, destination2, destination3 } = tuple;
  if (destination0 !== words[0]) return false;
  return (
    words.length === 1 ||
    (destination1 === words[1] && destination2 === words[2] && destination3 === words[3])
  );
}

/** Writes the source address into `key` at `at`, one word or four. */
export function writeSource(key: Int32Array, at: number, tuple: ConntrackTuple, family: Family): void {
  key[at] = tuple.source0;
  if (family === 4) return;
  key[at + 1] = tuple.source1;
  key[at + 2] = tuple.source2;
  key[at + 3] = tuple.source3;
}

/** Writes the destination address into `key` at `at`, one word or four. */
export function writeDestination(key: Int32Array, at: number, tuple: ConntrackTuple, family: Family): void {
  key[at] = tuple.destination0;
  if (family === 4) return;
  key[at + 1] = tuple.destination1;
  key[at + 2] = tuple.destination2;
  key[at + 3] = tuple.destination3;
}
