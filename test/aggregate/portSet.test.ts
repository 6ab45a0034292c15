import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortSet, sizeOfUnion } from '../../src/aggregate/portSet.ts';

const bounds = fc
  .tuple(fc.integer({ min: 0, max: 65_535 }), fc.nat(200))
  .map(([first, more]): [number, number] => [first, Math.min(first + more, 65_535)]);

describe('a set of ports', () => {
  it('is a Set that takes nothing outside its range', () => {
    const changes = fc.array(
      fc.tuple(fc.constantFrom('add' as const, 'delete' as const), fc.integer({ min: -40, max: 240 })),
    );
    fc.assert(
      fc.property(bounds, changes, ([first, last], steps) => {
        const ports = new PortSet(first, last);
        const model = new Set<number>();
        for (const [change, offset] of steps) {
          const port = first + offset;
          ports[change](port);
          if (port >= first && port <= last) model[change](port);
        }
        expect(members(ports, first, last)).toEqual([...model].sort((a, b) => a - b));
        expect(ports.size).toBe(model.size);
        expect(ports.sizeOfParity(0) + ports.sizeOfParity(1)).toBe(model.size);
        expect(ports.sizeOfParity(1)).toBe([...model].filter((port) => port % 2 === 1).length);
        for (const end of [first, first + 1, first + 33, last, last + 1]) {
          const below = [...model].filter((port) => port % 2 === 0 && port < end);
          expect(ports.sizeOfParity(0, end), `below ${end}`).toBe(below.length);
        }
      }),
    );
  });

  it('holds the whole of the largest range', () => {
    const all = new PortSet(0, 65_535);
    for (let port = 0; port <= 65_535; port++) all.add(port);
    expect([all.size, all.sizeOfParity(0), all.sizeOfParity(1)]).toEqual([65_536, 32_768, 32_768]);
    all.clear();
    expect(all.size).toBe(0);
  });

  it('loses what another has', () => {
    const ports = new PortSet(100, 200);
    ports.addRange(110, 150);
    const others = ports.emptyCopy();
    others.addRange(100, 148);
    ports.deleteAll(others);
    expect(members(ports, 100, 200)).toEqual([149, 150]);
  });

  it('has empty copies of the same range, which share nothing', () => {
    const ports = new PortSet(100, 200);
    ports.add(150);
    const copy = ports.emptyCopy();
    expect([copy.first, copy.last, copy.size]).toEqual([100, 200, 0]);
    copy.add(151);
    expect(ports.has(151)).toBe(false);
  });
});

describe('a union', () => {
  it('counts every port once', () => {
    const lists = fc.array(fc.array(fc.integer({ min: 1000, max: 1100 })), { maxLength: 5 });
    fc.assert(
      fc.property(lists, (contents) => {
        const sets = contents.map((ports) => setOf(ports));
        expect(sizeOfUnion(sets)).toBe(new Set(contents.flat()).size);
        // And leaves its parts as they were.
        expect(sets.map(({ size }) => size)).toEqual(contents.map((ports) => new Set(ports).size));
      }),
    );
  });
});

function setOf(ports: readonly number[]): PortSet {
  const set = new PortSet(1000, 1100);
  for (const port of ports) set.add(port);
  return set;
}

function members(ports: PortSet, first: number, last: number): number[] {
  const found: number[] = [];
  for (let port = first - 50; port <= last + 50; port++) if (ports.has(port)) found.push(port);
  return found;
}

it('addRange() adds what add() would, one after the other', () => {
  const port = fc.nat(300);
  fc.assert(
    fc.property(port, port, port, port, (a, b, from, to) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      const [ranged, single] = [new PortSet(first, last), new PortSet(first, last)];
      ranged.addRange(from, to);
      for (let one = from; one <= to; one++) single.add(one);
      const portsOf = (set: PortSet) => Array.from({ length: 340 }, (_, one) => set.has(one));
      expect(portsOf(ranged)).toEqual(portsOf(single));
      expect(ranged.size).toBe(single.size);
    }),
  );
});
