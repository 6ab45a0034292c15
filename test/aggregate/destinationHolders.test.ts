import { describe, expect, it } from 'vitest';
import { DestinationHolders } from '../../src/aggregate/destinationHolders.ts';
import type { Destination } from '../../src/aggregate/destinations.ts';
import { HeldConnections } from '../../src/aggregate/heldConnections.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { type Sock, sysctlsOf, tallyTcp } from './world.ts';

const { ESTABLISHED, TIME_WAIT, CLOSE, CLOSE_WAIT, FIN_WAIT2, LISTEN, SYN_SENT } = TcpState;
const sysctls = sysctlsOf(40_000, 40_099);

function to(remote: string, localPort: number, more: Partial<Sock> = {}): Sock {
  const local = remote.includes('.') ? '10.0.0.1' : 'fd00::1';
  return { state: ESTABLISHED, local, localPort, remote, remotePort: 443, ...more };
}

/** What holds each destination's ports, by its remote address. */
function holders(tcp: readonly Sock[], wanted: (destination: Destination) => boolean = () => true) {
  const held = new HeldConnections();
  const destinations = tallyTcp({ sysctls, tcp, udp: [] }, {}, held).destinations.fullest.filter(wanted);
  const tally = new DestinationHolders(destinations, { keepsSockets: true });
  held.replay((record) => tally.add(record));
  return Object.fromEntries(
    destinations.map((destination) => {
      const { byCgroup, timeWaitLeftMs } = tally.of(destination);
      return [destination.remoteAddress, { byCgroup: Object.fromEntries(byCgroup), timeWaitLeftMs }];
    }),
  );
}

const NOTHING = { established: 0, timeWait: 0, closeWait: 0, other: 0 };

describe('what holds the ports of a destination', () => {
  it('is told by cgroup and state', () => {
    const large = 2 ** 33 + 1;
    const tcp = [
      to('10.0.1.1', 40_000, { cgroupId: 5 }),
      to('10.0.1.1', 40_002, { cgroupId: 5 }),
      to('10.0.1.1', 40_004, { cgroupId: 5, state: CLOSE_WAIT }),
      to('10.0.1.1', 40_006, { cgroupId: large, state: SYN_SENT }),
      to('10.0.1.1', 40_008, { state: TIME_WAIT, timeWaitAgeMs: 1000 }),
      to('10.0.1.1', 40_010, { state: TIME_WAIT, timeWaitAgeMs: -1 }),
      to('10.0.1.1', 40_012, { state: FIN_WAIT2, inode: 0 }),
    ];
    expect(holders(tcp)).toEqual({
      '10.0.1.1': {
        byCgroup: {
          5: { ...NOTHING, established: 2, closeWait: 1 },
          [large]: { ...NOTHING, other: 1 },
          0: { ...NOTHING, timeWait: 2, other: 1 },
        },
        // The one of unknown age is left out.
        timeWaitLeftMs: [59_000],
      },
    });
  });

  it('names the sockets that a process may have', () => {
    const tcp = [
      to('10.0.1.1', 40_000, { cgroupId: 5, inode: 11 }),
      to('10.0.1.1', 40_002, { cgroupId: 6, inode: 12 }),
      to('10.0.1.1', 40_004, { cgroupId: 5, inode: 13 }),
      to('10.0.1.1', 40_006, { state: TIME_WAIT }),
    ];
    const held = new HeldConnections();
    const { fullest } = tallyTcp({ sysctls, tcp, udp: [] }, {}, held).destinations;
    const tally = new DestinationHolders(fullest, { keepsSockets: true });
    held.replay((record) => tally.add(record));
    const [inodes] = fullest.map((destination) => tally.of(destination).inodes);
    expect(inodes).toEqual(
      new Map([
        [5, [11, 13]],
        [6, [12]],
      ]),
    );
  });

  it('is told apart from what holds the others, in both families', () => {
    const tcp = [
      to('10.0.1.1', 40_000, { cgroupId: 1 }),
      to('10.0.1.2', 40_000, { cgroupId: 2 }),
      to('::ffff:10.0.1.1', 40_002, { local: '::ffff:10.0.0.1', cgroupId: 3 }),
      to('fd00::9', 40_000, { cgroupId: 4 }),
      to('fd00::a', 40_000, { cgroupId: 5 }),
      to('255.255.255.255', 40_000, { cgroupId: 6 }),
    ];
    const one = { ...NOTHING, established: 1 };
    const found = Object.entries(holders(tcp)).map(([address, { byCgroup }]) => [address, byCgroup]);
    expect(Object.fromEntries(found)).toEqual({
      '10.0.1.1': { 1: one, 3: one },
      '10.0.1.2': { 2: one },
      'fd00::9': { 4: one },
      'fd00::a': { 5: one },
      '255.255.255.255': { 6: one },
    });
  });

  it('is only told of those that were asked for, on usable ports, and of none that a listener accepted', () => {
    const tcp = [
      to('10.0.1.1', 40_000, { cgroupId: 1 }),
      to('10.0.1.1', 50_000, { cgroupId: 1 }),
      to('10.0.1.1', 40_001, { remotePort: 444, cgroupId: 1 }),
      to('10.0.1.2', 40_000, { cgroupId: 2 }),
      { state: CLOSE, local: '10.0.0.1', localPort: 40_020, cgroupId: 3 },
      { state: LISTEN, local: '10.0.0.1', localPort: 40_030 },
      to('10.0.1.1', 40_030, { cgroupId: 4 }),
    ];
    expect(
      holders(tcp, ({ remoteAddress, remotePort }) => remoteAddress === '10.0.1.1' && remotePort === 443),
    ).toEqual({ '10.0.1.1': { byCgroup: { 1: { ...NOTHING, established: 1 } }, timeWaitLeftMs: [] } });
  });

  it('is nothing where all is gone since', () => {
    const [destination] = tallyTcp({ sysctls, tcp: [to('10.0.1.1', 40_000)], udp: [] }).destinations.fullest;
    if (destination === undefined) throw new Error('no destination');
    const tally = new DestinationHolders([destination], { keepsSockets: true });
    const nobody = { byCgroup: new Map(), timeWaitLeftMs: [], inodes: new Map() };
    expect(tally.of(destination)).toEqual(nobody);
    const other = { ...destination, remoteAddress: '10.0.1.2' };
    expect(tally.of(other)).toEqual(nobody);
  });
});
