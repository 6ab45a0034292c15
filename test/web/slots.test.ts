import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Slots } from '../../src/web/slots.ts';

class Connection {
  readonly remoteAddress: string;
  closed = false;
  readonly #onClose: (() => void)[] = [];

  constructor(remoteAddress: string) {
    this.remoteAddress = remoteAddress;
  }

  once(_: 'close', listener: () => void): void {
    this.#onClose.push(listener);
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    for (const listener of this.#onClose) listener();
  }
}

const [FLOOD, OTHER] = ['192.0.2.1', '192.0.2.2'];

function fill(slots: Slots, count: number, address: string): Connection[] {
  return Array.from({ length: count }, () => {
    const connection = new Connection(address);
    expect(slots.take(connection)).toBe(true);
    return connection;
  });
}

function closedOf(connections: readonly Connection[]): number[] {
  return connections.flatMap(({ closed }, index) => (closed ? [index] : []));
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

describe('room for one more connection', () => {
  it('is there up to the bound', () => {
    expect(closedOf(fill(new Slots(4), 4, FLOOD))).toEqual([]);
  });

  it('is made by the longest idle one', () => {
    const slots = new Slots(3);
    const [first, second, third] = fill(slots, 3, FLOOD);
    if (!(first && second && third)) throw new Error('three');
    slots.begin(first)?.();
    fill(slots, 1, FLOOD);
    expect(closedOf([first, second, third])).toEqual([1]);
  });

  it('is made at the client that has the most, whoever comes', () => {
    const slots = new Slots(5);
    const quiet = fill(slots, 1, OTHER);
    const flood = fill(slots, 4, FLOOD);
    fill(slots, 6, FLOOD);
    fill(slots, 1, OTHER);
    expect(closedOf(quiet)).toEqual([]);
    expect(closedOf(flood)).toEqual([0, 1, 2, 3]);
  });

  it('is made by an idle one before one with a request under way', () => {
    const slots = new Slots(2);
    const [busy, idle] = fill(slots, 2, FLOOD);
    if (!(busy && idle)) throw new Error('two');
    slots.begin(busy);
    vi.advanceTimersByTime(10_000);
    fill(slots, 1, FLOOD);
    expect(closedOf([busy, idle])).toEqual([1]);
  });

  it('is made by one with a request under way for another client at once, for the same one after a second', () => {
    const slots = new Slots(2);
    const busy = fill(slots, 2, FLOOD);
    for (const connection of busy) slots.begin(connection);
    expect(slots.take(new Connection(FLOOD))).toBe(false);
    vi.advanceTimersByTime(1_000);
    expect(slots.take(new Connection(FLOOD))).toBe(true);
    expect(closedOf(busy)).toEqual([0]);
    fill(slots, 1, OTHER);
    expect(closedOf(busy)).toEqual([0]);
    const again = new Slots(2);
    const alsoBusy = fill(again, 2, FLOOD);
    for (const connection of alsoBusy) again.begin(connection);
    fill(again, 1, OTHER);
    expect(closedOf(alsoBusy)).toEqual([0]);
  });

  it('is there again when one closes, and idle is who has answered all requests', () => {
    const slots = new Slots(2);
    const [one, two] = fill(slots, 2, FLOOD);
    if (!(one && two)) throw new Error('two');
    const answered = [slots.begin(one), slots.begin(one)];
    slots.begin(two);
    answered[0]?.();
    expect(slots.take(new Connection(FLOOD))).toBe(false);
    answered[1]?.();
    fill(slots, 1, FLOOD);
    expect(closedOf([one, two])).toEqual([0]);
    two.destroy();
    fill(slots, 1, FLOOD);
  });

  it('costs nobody a connection who has fewer than another client, whatever comes, goes and asks', () => {
    const step = fc.record({ client: fc.nat(3), busy: fc.boolean(), close: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 80 }), (most, steps) => {
        const slots = new Slots(most);
        let open: Connection[] = [];
        const countOf = (address: string) =>
          open.filter(({ remoteAddress }) => remoteAddress === address).length;
        for (const { client, busy, close } of steps) {
          if (close) open[0]?.destroy();
          open = open.filter(({ closed }) => !closed);
          const before = new Map(open.map(({ remoteAddress }) => [remoteAddress, countOf(remoteAddress)]));
          const newcomer = new Connection(`192.0.2.${client}`);
          const wanted = (before.get(newcomer.remoteAddress) ?? 0) + 1;
          const taken = slots.take(newcomer);
          for (const { remoteAddress } of open.filter(({ closed }) => closed)) {
            expect(before.get(remoteAddress)).toBeGreaterThanOrEqual(wanted - 1);
          }
          open = [...open, ...(taken ? [newcomer] : [])].filter(({ closed }) => !closed);
          if (taken && busy) slots.begin(newcomer);
          expect(open.length).toBeLessThanOrEqual(most);
        }
      }),
    );
  });
});
