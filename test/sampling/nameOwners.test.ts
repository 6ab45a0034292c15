import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortSet } from '../../src/aggregate/portSet.ts';
import { PortsByCgroup } from '../../src/aggregate/portsByCgroup.ts';
import { nameOwners } from '../../src/sampling/nameOwners.ts';
import { toRecord } from '../aggregate/world.ts';

const FIRST = 40_000;
const LAST = 40_039;

/** 40 ports, of which 40 010 is reserved. */
function usable(): PortSet {
  const ports = new PortSet(FIRST, LAST);
  for (let port = FIRST; port <= LAST; port++) ports.add(port);
  ports.delete(40_010);
  return ports;
}

function owners(sockets: readonly (readonly [cgroupId: number, port: number])[]): PortsByCgroup {
  const tally = new PortsByCgroup(usable());
  for (const [cgroupId, localPort] of sockets) {
    tally.add(toRecord({ state: 1, local: '10.0.0.1', localPort, cgroupId }));
  }
  return tally;
}

/** An inode number of more than 32 bits, and one of 32 whose highest is set. */
const LARGE = 2 ** 40 + 7;
const HIGH_BIT = 2 ** 31 + 7;
const NAMES = new Map([
  [1, 'a.service'],
  [2, 'a.service'],
  [3, 'b.service'],
  [LARGE, 'c.service'],
  [HIGH_BIT, 'd.service'],
]);
const nameOf = (id: number) => NAMES.get(id);

describe('the owners of ports', () => {
  it('hold distinct ports, however many sockets are on them', () => {
    const tally = owners([
      [3, 40_000],
      [3, 40_000],
      [3, 40_001],
    ]);
    expect(nameOwners(tally.byCgroup(), 10, nameOf)).toEqual({
      total: 1,
      fullest: [{ owner: 'b.service', ports: 2 }],
    });
  });

  it('hold nothing outside of the usable ports', () => {
    const outside = owners([FIRST - 1, 40_010, LAST + 1, 80].map((port) => [3, port]));
    expect(nameOwners(outside.byCgroup(), 10, nameOf)).toEqual({
      total: 0,
      fullest: [],
    });
  });

  it('are one where several cgroups have one name: a port of two counts once', () => {
    const tally = owners([
      [1, 40_000],
      [1, 40_001],
      [2, 40_001],
      [2, 40_002],
    ]);
    expect(nameOwners(tally.byCgroup(), 10, nameOf).fullest).toEqual([{ owner: 'a.service', ports: 3 }]);
  });

  it('are unattributed without a cgroup, and where the cgroup is gone', () => {
    const tally = owners([
      [0, 40_000],
      [99, 40_001],
      [99, 40_000],
      [3, 40_003],
    ]);
    expect(nameOwners(tally.byCgroup(), 10, nameOf)).toEqual({
      total: 2,
      fullest: [
        { owner: 'unattributed', ports: 2 },
        { owner: 'b.service', ports: 1 },
      ],
    });
  });

  it('are told apart by all 64 bits of the cgroup', () => {
    const tally = owners([
      [7, 40_000],
      [LARGE, 40_001],
      [HIGH_BIT, 40_002],
    ]);
    const asked: number[] = [];
    nameOwners(tally.byCgroup(), 10, (id) => {
      asked.push(id);
      return undefined;
    });
    expect(asked).toEqual([7, LARGE, HIGH_BIT]);
    expect(nameOwners(tally.byCgroup(), 10, nameOf).fullest.map(({ owner }) => owner)).toEqual([
      'c.service',
      'd.service',
      'unattributed',
    ]);
  });

  it('are shown those with most ports first, and all are counted', () => {
    const tally = owners([
      [1, 40_000],
      [3, 40_001],
      [3, 40_002],
      [LARGE, 40_003],
    ]);
    expect(nameOwners(tally.byCgroup(), 2, nameOf)).toEqual({
      total: 3,
      fullest: [
        { owner: 'b.service', ports: 2 },
        { owner: 'a.service', ports: 1 },
      ],
    });
    expect(nameOwners(tally.byCgroup(), 0, nameOf)).toEqual({ total: 3, fullest: [] });
  });

  it('are what sets of ports by name would be', () => {
    const socket = fc.tuple(
      fc.constantFrom(0, 1, 2, 3, 99, LARGE),
      fc.integer({ min: FIRST - 2, max: LAST + 2 }),
    );
    fc.assert(
      fc.property(fc.array(socket), (sockets) => {
        const byName = new Map<string, Set<number>>();
        for (const [id, port] of sockets) {
          if (port < FIRST || port > LAST || port === 40_010) continue;
          const name = nameOf(id) ?? 'unattributed';
          byName.set(name, (byName.get(name) ?? new Set()).add(port));
        }
        const { total, fullest } = nameOwners(owners(sockets).byCgroup(), 100, nameOf);
        expect(total).toBe(byName.size);
        expect(Object.fromEntries(fullest.map(({ owner, ports }) => [owner, ports]))).toEqual(
          Object.fromEntries([...byName].map(([name, ports]) => [name, ports.size])),
        );
      }),
    );
  });
});
