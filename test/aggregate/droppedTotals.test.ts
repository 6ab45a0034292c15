import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DroppedTotals } from '../../src/aggregate/droppedTotals.ts';

const socket = (id: number, drops: number) => ({ id, drops });

describe('what a listener has dropped', () => {
  it('does not fall when one of its sockets closes', () => {
    const totals = new DroppedTotals();
    expect(totals.update([['a', [socket(1, 7), socket(2, 5)]]])).toEqual([12]);
    expect(totals.update([['a', [socket(2, 6)]]])).toEqual([13]);
    expect(totals.update([['a', [socket(2, 6), socket(3, 2)]]])).toEqual([15]);
  });

  it('goes on where its only socket was opened anew between two samples', () => {
    const totals = new DroppedTotals();
    totals.update([['a', [socket(1, 7)]]]);
    expect(totals.update([['a', [socket(2, 1)]]])).toEqual([8]);
  });

  it('begins anew once nobody listened there any more', () => {
    const totals = new DroppedTotals();
    totals.update([['a', [socket(1, 7)]]]);
    totals.update([]);
    expect(totals.update([['a', [socket(2, 1)]]])).toEqual([1]);
  });

  it('takes a number that was given to another socket for what it is', () => {
    const totals = new DroppedTotals();
    totals.update([['a', [socket(1, 7)]]]);
    expect(totals.update([['a', [socket(1, 3)]]])).toEqual([10]);
  });

  it('is unknown where one of its sockets does not tell', () => {
    expect(new DroppedTotals().update([['a', [socket(1, 7), socket(2, -1)]]])).toEqual([undefined]);
  });

  it('is the sum of all increments, whoever opens and closes', () => {
    const step = fc.record({
      opens: fc.nat(2),
      closes: fc.nat(3),
      drops: fc.array(fc.tuple(fc.nat(5), fc.nat(9)), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const totals = new DroppedTotals();
        const open = new Map([[0, 0]]);
        let ids = 1;
        let expected = 0;
        for (const { opens, closes, drops } of steps) {
          // What a socket drops between its last sample and its end nobody knows.
          for (const id of [...open.keys()].slice(1, 1 + closes)) open.delete(id);
          for (let index = 0; index < opens; index++) open.set(ids++, 0);
          for (const [at, count] of drops) {
            const id = [...open.keys()][at % open.size] as number;
            open.set(id, (open.get(id) as number) + count);
            expected += count;
          }
          const sockets = [...open].map(([id, dropped]) => ({ id, drops: dropped }));
          expect(totals.update([['a', sockets]])).toEqual([expected]);
        }
      }),
    );
  });
});
