import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PortSet } from '../../src/aggregate/portSet.ts';

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
