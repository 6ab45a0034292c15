import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../src/aggregate/destinations.ts';
import { leastAvailable } from '../../src/aggregate/exhaustion.ts';
import type { LocalAddressesSnapshot } from '../../src/aggregate/localAddresses.ts';
import type { TcpSnapshot } from '../../src/aggregate/tcpSnapshot.ts';
import type { UdpSnapshot } from '../../src/aggregate/udp.ts';
import { anyWorld } from './anyWorld.ts';
import { type Reference, reference } from './reference.ts';
import { tallyTcp, tallyUdp } from './world.ts';

describe('any small world', () => {
  it('is told as the formulas say', () => {
    const seen = { inferred: 0, full: 0, reclaimable: 0, inbound: 0, pastHalf: 0 };
    fc.assert(
      fc.property(anyWorld, (world) => {
        const expected = reference(world);
        expect(told(tallyTcp(world), tallyUdp(world))).toEqual(expected);
        countSituations(seen, expected);
      }),
      { numRuns: 4000 },
    );
    // Worlds in which nothing happens would prove nothing.
    for (const [situation, worlds] of Object.entries(seen)) expect(worlds, situation).toBeGreaterThan(50);
  });

  it('promises no more, where the kernel cannot be asked, than if it said the worst', () => {
    let uncertain = 0;
    fc.assert(
      fc.property(anyWorld, (world) => {
        const unasked = tallyTcp(world, {}, undefined, () => undefined);
        const best = tallyTcp(world);
        const worst = tallyTcp(world, {}, undefined, () => true);
        uncertain += unasked.uncertain > 0 ? 1 : 0;
        expect(best.uncertain + worst.uncertain).toBe(0);
        expect(unasked).toMatchObject({ capacity: best.capacity, capacityAtLeast: worst.capacity });
        expect(unasked.connect.ratio).toBe(best.connect.ratio);
        expect(leastAvailable(unasked.connect)).toBeLessThanOrEqual(worst.connect.available);
        const certain = new Map(worst.destinations.fullest.map((one) => [keyOf(one), one.available]));
        for (const destination of unasked.destinations.fullest)
          expect(leastAvailable(destination)).toBeLessThanOrEqual(certain.get(keyOf(destination)) ?? -1);
      }),
      { numRuns: 2000 },
    );
    expect(uncertain).toBeGreaterThan(50);
  });
});

function keyOf({ localAddress, device, remoteAddress, remotePort }: Destination): string {
  return [localAddress, device, remoteAddress, remotePort].join(' ');
}

/** What the reference says, read from the snapshots. */
function told(tcp: TcpSnapshot, udp: UdpSnapshot): Reference {
  const connections = (wanted: string) =>
    tcp.connections
      .filter(({ direction }) => direction === wanted)
      .reduce((sum, { count }) => sum + count, 0);
  const destinations = tcp.destinations.fullest.map(
    ({ localAddress, remoteAddress, remotePort, used, reclaimable, available, ratio }) => {
      const held = used.established + used.timeWait + used.other;
      const key = `${localAddress} > ${remoteAddress}:${remotePort}`;
      return [key, { held, reclaimable, available, ratio }] as const;
    },
  );
  expect(tcp.destinations.total).toBe(destinations.length);
  expect(udp.capacity).toBe(udp.connect.available);
  return {
    blocked: {
      listener: tcp.blocked.listener,
      bound: tcp.blocked.bound ?? Number.NaN,
      inferred: tcp.blocked.inferred ?? Number.NaN,
    },
    capacity: tcp.capacity,
    tcpUsedPorts: tcp.usedPorts,
    udpUsedPorts: udp.usedPorts,
    destinations: Object.fromEntries(destinations),
    tcpLocal: localRows(tcp.localAddresses),
    udpLocal: localRows(udp.localAddresses),
    worst: { tcpConnect: tcp.connect, tcpBind: tcp.bind, udpConnect: udp.connect, udpBind: udp.bind },
    onLoopback: [tcp, udp].flatMap(({ onLoopback: { ipv4, ipv6 } }) => [ipv4, ipv6]),
    bindMayBlock: tcp.bindMayBlock,
    inbound: connections('inbound'),
    outbound: connections('outbound'),
  };
}

function localRows({ total, fullest }: LocalAddressesSnapshot): Reference['tcpLocal'] {
  expect(total).toBe(fullest.length);
  return Object.fromEntries(fullest.map(({ localAddress, device: _, ...row }) => [localAddress, row]));
}

function countSituations(seen: Record<string, number>, expected: Reference): void {
  const rows = Object.values(expected.destinations);
  const situations: Record<string, boolean> = {
    inferred: expected.blocked.inferred > 0,
    full: rows.some(({ available }) => available === 0),
    reclaimable: rows.some(({ reclaimable }) => reclaimable > 0),
    inbound: expected.inbound > 0,
    pastHalf: rows.some(({ held }) => held * 2 > expected.capacity && expected.blocked.inferred === 0),
  };
  for (const [situation, happened] of Object.entries(situations)) {
    seen[situation] = (seen[situation] ?? 0) + (happened ? 1 : 0);
  }
}
