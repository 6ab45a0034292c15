import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HeldConnections } from '../../src/aggregate/heldConnections.ts';
import { SocketRecord } from '../../src/sockets/record.ts';

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const port = fc.integer({ min: 0, max: 65_535 });

/** What a connection has; the rest is of listeners and of UDP. */
const anyConnection = fc.record({
  family: fc.constantFrom<4 | 6>(4, 6),
  state: fc.integer({ min: 1, max: 12 }),
  ...{ localPort: port, remotePort: port },
  ...{ local0: word, local1: word, local2: word, local3: word },
  ...{ remote0: word, remote1: word, remote2: word, remote3: word },
  timeWaitAgeMs: fc.integer({ min: -1, max: 60_000 }),
  inode: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  ...{ cgroupLow: word, cgroupHigh: word },
});

function replayed(held: HeldConnections): SocketRecord[] {
  const records: SocketRecord[] = [];
  held.replay((record) => records.push({ ...record }));
  return records;
}

it('connections come back as they were, in their order', () => {
  fc.assert(
    fc.property(fc.array(anyConnection), (connections) => {
      const held = new HeldConnections();
      const record = new SocketRecord();
      for (const connection of connections) held.add(Object.assign(record, connection));
      const expected = connections.map((connection) => ({ ...new SocketRecord(), ...connection }));
      expect(replayed(held)).toEqual(expected);
    }),
  );
});

it('there may be more than a chunk of them', () => {
  const held = new HeldConnections();
  const record = new SocketRecord();
  for (let inode = 0; inode < 40_000; inode++) held.add(Object.assign(record, { inode }));
  expect(replayed(held).map(({ inode }) => inode)).toEqual(Array.from({ length: 40_000 }, (_, n) => n));
});
