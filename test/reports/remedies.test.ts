import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DestinationHolders } from '../../src/aggregate/destinationHolders.ts';
import { regime } from '../../src/aggregate/exhaustion.ts';
import { HeldConnections } from '../../src/aggregate/heldConnections.ts';
import { ephemeralRange, rangeSnapshot } from '../../src/aggregate/range.ts';
import type { PortSysctls } from '../../src/kernel/sysctl.ts';
import type { ExplainedDestination } from '../../src/reports/explained.ts';
import { remediesFor } from '../../src/reports/remedies.ts';
import { nameHolders } from '../../src/sampling/nameOwners.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { anyWorld } from '../aggregate/anyWorld.ts';
import { type Sock, sysctlsOf, tallyTcp } from '../aggregate/world.ts';

const { ESTABLISHED, TIME_WAIT, CLOSE, CLOSE_WAIT, LISTEN } = TcpState;

/** Ports that each remedy would free for the first destination that fits; without one for one that nobody uses. */
function remedies(
  sysctls: PortSysctls,
  tcp: readonly Sock[],
  remote = '203.0.113.7',
): Record<string, number> {
  const held = new HeldConnections();
  const snapshot = tallyTcp({ sysctls, tcp, udp: [] }, {}, held);
  const range = ephemeralRange(sysctls);
  const found = snapshot.destinations.fullest.find(({ remoteAddress }) => remoteAddress === remote);
  const tally = new DestinationHolders(found === undefined ? [] : [found], { keepsSockets: true });
  held.replay((record) => tally.add(record));
  const { byCgroup, ...rest } = found
    ? tally.of(found)
    : { byCgroup: new Map(), timeWaitLeftMs: [], inodes: new Map() };
  const destination: ExplainedDestination = found ?? {
    ...{ localAddress: undefined, remoteAddress: remote, remotePort: 443, deviceIndex: 0, device: '' },
    ...{ used: { established: 0, timeWait: 0, other: 0 }, reclaimable: 0 },
    ...regime(snapshot.capacity, range.usableCount),
  };
  const told = remediesFor(
    destination,
    { owners: nameHolders(byCgroup, undefined), ...rest },
    snapshot,
    rangeSnapshot(range, sysctls),
  );
  expect(told.map(({ freesPorts }) => freesPorts)).toEqual(
    told.map(({ freesPorts }) => freesPorts).toSorted((a, b) => b - a),
  );
  return Object.fromEntries(told.map(({ remedy, freesPorts }) => [remedy, freesPorts]));
}

/** Ports of the half that connect() takes first, `count` of them. */
function to(remote: string, count: number, more: Partial<Sock> = {}, from = 40_000): Sock[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ state: ESTABLISHED, local: '192.0.2.10', localPort: from + 2 * index, remote, remotePort: 443 },
    ...more,
  }));
}

const timeWait = { state: TIME_WAIT, timeWaitAgeMs: 5000 };
const D = '203.0.113.7';
const defaults = sysctlsOf(40_000, 40_099);
const WIDER = 64_412;
/** What there always is to be done with a range of 100 ports. */
const ALWAYS = { widerRange: WIDER, moreDestinations: 100, moreSourceAddresses: 100 };

describe('the remedies', () => {
  it.each<[string, PortSysctls, Sock[], Record<string, number>]>([
    ['of nothing at all', defaults, [], {}],
    ['of open connections only', defaults, to(D, 40), { poolConnections: 40 }],
    ['of no more open connections than a hundredth of the ports', defaults, to(D, 1), {}],
    [
      'of TIME_WAIT, which tcp_tw_reuse would free where it is off',
      sysctlsOf(40_000, 40_099, { twReuse: 0 }),
      to(D, 30, timeWait),
      { reuseConnections: 30, tcpTwReuse: 30 },
    ],
    [
      'of TIME_WAIT, which tcp_tw_reuse would free where it is for loopback',
      defaults,
      [...to(D, 30, timeWait), ...to(D, 4, { state: TIME_WAIT, timeWaitAgeMs: 999 }, 40_060)],
      { reuseConnections: 34, tcpTwReuse: 30 },
    ],
    [
      'of TIME_WAIT that is reused already: none',
      sysctlsOf(40_000, 40_099, { twReuse: 1 }),
      [...to(D, 30, timeWait), ...to(D, 4, { state: TIME_WAIT, timeWaitAgeMs: 0 }, 40_060)],
      { reuseConnections: 4 },
    ],
    [
      'of TIME_WAIT without timestamps, where tcp_tw_reuse does nothing',
      sysctlsOf(40_000, 40_099, { twReuse: 0, timestamps: false }),
      to(D, 30, timeWait),
      { reuseConnections: 30 },
    ],
    [
      'of TIME_WAIT of unknown age, which may be too young',
      sysctlsOf(40_000, 40_099, { twReuse: 0 }),
      to(D, 30, { state: TIME_WAIT, timeWaitAgeMs: -1 }),
      { reuseConnections: 30 },
    ],
    [
      'of connections that the other side has closed',
      defaults,
      [...to(D, 10), ...to(D, 5, { state: CLOSE_WAIT }, 40_040)],
      { closeConnections: 5, poolConnections: 10 },
    ],
    [
      'of ports that bind() took for connections elsewhere',
      defaults,
      [...to('203.0.113.8', 12, { local: '192.0.2.11' }, 40_001), ...to(D, 5)],
      { bindAddressNoPort: 12, poolConnections: 5, moreDestinations: 88, moreSourceAddresses: 88 },
    ],
    [
      'of ports that bind() took for connections to it, which would hold them all the same',
      defaults,
      to(D, 12, {}, 40_001),
      { poolConnections: 12, moreDestinations: 88, moreSourceAddresses: 88 },
    ],
    [
      'of TIME_WAIT on ports that bind() took, which connect() skips',
      sysctlsOf(40_000, 40_099, { twReuse: 0 }),
      to(D, 12, timeWait, 40_001),
      { reuseConnections: 12, moreDestinations: 88, moreSourceAddresses: 88 },
    ],
    [
      'of sockets that are only bound',
      defaults,
      [{ state: CLOSE, local: '192.0.2.11', localPort: 40_020 }],
      { closeBoundSockets: 1, moreDestinations: 99, moreSourceAddresses: 99 },
    ],
    [
      'of listeners in the range, and of some outside of it',
      defaults,
      [40_020, 40_020, 40_022, 80, 8080, 8080, 50_000].map((localPort, index) => ({
        ...{ state: LISTEN, local: index % 2 ? '0.0.0.0' : '192.0.2.11', localPort },
      })),
      // Ports 8080 and 50 000 are outside of the range, and would be no use inside.
      { moveListeners: 2, widerRange: WIDER - 2, moreDestinations: 98, moreSourceAddresses: 98 },
    ],
    [
      'of reserved ports, but not of those whose service listens',
      sysctlsOf(40_000, 40_099, {
        reserved: [
          [40_050, 40_059],
          [50_000, 50_009],
        ],
      }),
      [{ state: LISTEN, local: '0.0.0.0', localPort: 40_051 }],
      { fewerReservedPorts: 9, widerRange: WIDER - 10, moreDestinations: 90, moreSourceAddresses: 90 },
    ],
    [
      'of the widest range: not a wider one',
      sysctlsOf(1024, 65_535),
      [],
      { moreDestinations: 64_512, moreSourceAddresses: 64_512 },
    ],
    [
      'of a range with privileged ports, which a wider one keeps',
      sysctlsOf(1, 60_000),
      [],
      { widerRange: 5535, moreDestinations: 60_000, moreSourceAddresses: 60_000 },
    ],
    [
      'where everything is blocked: a new destination would have nothing',
      sysctlsOf(40_000, 40_001),
      [40_000, 40_001].map((localPort) => ({ state: CLOSE, local: '192.0.2.11', localPort })),
      { closeBoundSockets: 2, widerRange: 64_510 },
    ],
  ])('%s', (_, sysctls, tcp, expected) => {
    const isHundred = sysctls.range.first === 40_000 && sysctls.range.last === 40_099;
    expect(remedies(sysctls, tcp)).toEqual(isHundred ? { ...ALWAYS, ...expected } : expected);
  });

  it('on loopback have no use for tcp_tw_reuse=1 where it is 2', () => {
    const tcp = to('127.0.0.1', 30, { ...timeWait, local: '127.0.0.1' });
    expect(remedies(defaults, tcp, '127.0.0.1')).not.toHaveProperty('tcpTwReuse');
    expect(remedies(sysctlsOf(40_000, 40_099, { twReuse: 0 }), tcp, '127.0.0.1')).toHaveProperty(
      'tcpTwReuse',
      30,
    );
    const ipv6 = to('::1', 30, { ...timeWait, local: '::1' });
    expect(remedies(defaults, ipv6, '::1')).not.toHaveProperty('tcpTwReuse');
  });

  it('within the range never free more than the destination lacks, nor less than one port', () => {
    fc.assert(
      fc.property(anyWorld, ({ sysctls, tcp }) => {
        const usable = ephemeralRange(sysctls).usableCount;
        const { destinations } = tallyTcp({ sysctls, tcp, udp: [] });
        for (const { remoteAddress } of destinations.fullest) {
          const { widerRange, fewerReservedPorts, moreDestinations, moreSourceAddresses, ...within } =
            remedies(sysctls, tcp, remoteAddress);
          const first = destinations.fullest.find((one) => one.remoteAddress === remoteAddress);
          const lacking = usable - (first?.available ?? 0);
          for (const [remedy, ports] of Object.entries(within)) {
            expect(ports, remedy).toBeGreaterThan(0);
            expect(ports, remedy).toBeLessThanOrEqual(lacking);
          }
          expect(widerRange ?? 0).toBeLessThan(65_536 - usable);
          for (const more of [moreDestinations, moreSourceAddresses])
            expect(more ?? 0).toBeLessThanOrEqual(usable);
          expect(fewerReservedPorts ?? 0).toBeLessThanOrEqual(ephemeralRange(sysctls).reservedCount);
        }
      }),
      { numRuns: 300 },
    );
  });
});
