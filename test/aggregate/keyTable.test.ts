import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyTable } from '../../src/aggregate/keyTable.ts';

const WORDS = 3;
/** Few different words, so that keys meet again; the extremes of an int32 among them. */
const word = fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31));
const key = fc.array(word, { minLength: WORDS, maxLength: WORDS });

describe('a table of keys', () => {
  it('numbers them as a Map would, in the order in which they came', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300 }), fc.array(key), (keys, asked) => {
        const table = new KeyTable(WORDS, 2);
        const model = new Map<string, number>();
        for (const one of keys) {
          if (!model.has(String(one))) model.set(String(one), model.size);
          expect(upsert(table, one)).toBe(model.get(String(one)));
        }
        expect(table.size).toBe(model.size);
        for (const one of [...keys, ...asked]) expect(find(table, one)).toBe(model.get(String(one)) ?? -1);
        expect(rows(table)).toEqual([...model.keys()]);
      }),
    );
  });

  it('grows by doubling, with room for every row it has', () => {
    const table = new KeyTable(1, 2);
    const capacities = Array.from({ length: 9 }, (_, index) => {
      upsert(table, [index]);
      return table.capacity;
    });
    expect(capacities).toEqual([2, 2, 4, 4, 8, 8, 8, 8, 16]);
  });

  it('has a hundred thousand as well', () => {
    const table = new KeyTable(2);
    for (let index = 0; index < 100_000; index++) upsert(table, [index, -index]);
    expect(table.size).toBe(100_000);
    for (let index = 0; index < 100_000; index += 997) expect(find(table, [index, -index])).toBe(index);
    expect(find(table, [1, 1])).toBe(-1);
  });

  it('forgets all of them when cleared, and keeps its room', () => {
    const table = new KeyTable(1, 2);
    for (let index = 0; index < 50; index++) upsert(table, [index]);
    const { capacity } = table;
    table.clear();
    expect([table.size, table.capacity, find(table, [7])]).toEqual([0, capacity, -1]);
    expect([upsert(table, [49]), upsert(table, [7]), upsert(table, [49])]).toEqual([0, 1, 0]);
  });

  it('does not find by looking that it has seen', () => {
    const table = new KeyTable(1);
    expect([find(table, [5]), table.size]).toEqual([-1, 0]);
  });
});

function upsert(table: KeyTable, words: readonly number[]): number {
  table.key.set(words);
  return table.upsert();
}

function find(table: KeyTable, words: readonly number[]): number {
  table.key.set(words);
  return table.find();
}

function rows(table: KeyTable): string[] {
  return Array.from({ length: table.size }, (_, row) =>
    String(Array.from({ length: WORDS }, (_word, index) => table.word(row, index))),
  );
}
