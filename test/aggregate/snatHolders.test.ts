import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SnatDestination, SnatTables } from '../../src/aggregate/snat.ts';
import { type SnatExplained, SnatHolders } from '../../src/aggregate/snatHolders.ts';
import type { SnatKey } from '../../src/aggregate/snatKeys.ts';
import { AssumedPorts, type SnatPorts } from '../../src/aggregate/snatPorts.ts';
import { ConntrackStatus } from '../../src/conntrack/record.ts';
import { anyFlow, type Flow, RANGE, TCP, translated, visitFlows } from './flows.ts';

const { SRC_NAT, SEEN_REPLY } = ConntrackStatus;
const KEY: SnatKey = {
  ...{ protocol: 'tcp', natAddress: '198.51.100.1', remoteAddress: '192.0.2.1', remotePort: 443, zone: 0 },
};

function explain(flows: readonly Flow[], key = KEY, range = RANGE, evicts = false): SnatExplained {
  const holders = new SnatHolders(key, range);
  visitFlows(flows, (record) => holders.add(record));
  return holders.summarise(evicts);
}

/** What the exporter has of every key. */
function exported(flows: readonly Flow[], evicts: boolean): readonly SnatDestination[] {
  const tables = new SnatTables(new AssumedPorts([RANGE]));
  for (const _ of ['addresses', 'ports']) {
    tables.begin();
    visitFlows(flows, (record) => tables.add(record));
  }
  return tables.summarise(100, evicts).destinations.fullest;
}

/** Of a key the entries that hold each port of the range, by its strings. */
function entriesOf(flows: readonly Flow[], key: SnatKey): Map<number, Flow[]> {
  const ports = new Map<number, Flow[]>();
  for (const flow of flows) {
    if ((flow.protocol === TCP ? 'tcp' : flow.protocol === 17 ? 'udp' : '') !== key.protocol) continue;
    for (const [source, sourcePort, destination, port] of [flow.reply, flow.original]) {
      const isOfKey =
        `${source} ${sourcePort} ${destination} ${flow.zone}` ===
        `${key.remoteAddress} ${key.remotePort} ${key.natAddress} ${key.zone}`;
      if (isOfKey && port >= RANGE.first && port <= RANGE.last)
        ports.set(port, [...(ports.get(port) ?? []), flow]);
    }
  }
  return ports;
}

describe('who holds the ports of a destination behind a NAT', () => {
  it('has the numbers that are exported, port by port', () => {
    fc.assert(
      fc.property(fc.array(anyFlow, { maxLength: 80 }), fc.boolean(), (flows, evicts) => {
        for (const { clients: _, ...one } of exported(flows, evicts) as (SnatDestination & {
          clients: unknown;
        })[]) {
          const explained = explain(flows, one, RANGE, evicts);
          expect(explained).toMatchObject(one);
          const entries = entriesOf(flows, one);
          expect(explained.secondsLeft).toEqual(
            [...entries.values()]
              .map((all) => Math.max(...all.map(({ timeoutSeconds }) => timeoutSeconds)))
              .toSorted((a, b) => a - b),
          );
          expect(explained.timeWaitSecondsLeft).toHaveLength(one.used.timeWait);
          const { holders } = explained;
          const sum = (of: 'established' | 'timeWait' | 'other' | 'ports') =>
            holders.reduce((total, holder) => total + holder[of], 0);
          expect([sum('established'), sum('timeWait'), sum('other')]).toEqual(Object.values(one.used));
          expect(sum('ports')).toBe(16 - one.available);
          expect(holders.map(({ ports }) => ports)).toEqual(
            holders.map(({ ports }) => ports).toSorted((a, b) => b - a),
          );
          for (const { address, isInbound } of holders) {
            const possible = [...entries.values()].flat();
            expect(
              possible.some(({ original, reply }) => (isInbound ? reply[0] : original[0]) === address),
            ).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are clients by their own addresses, the host itself, and who answers an inbound connection', () => {
    const own: Flow = {
      ...translated(2001),
      status: SEEN_REPLY,
      original: ['198.51.100.1', 2001, '192.0.2.1', 443],
    };
    const inbound: Flow = {
      ...translated(2002),
      status: SEEN_REPLY,
      original: ['192.0.2.1', 443, '198.51.100.1', 2002],
      reply: ['198.51.100.1', 2002, '192.0.2.1', 443],
    };
    const other = { ...translated(2003), original: ['10.0.0.6', 2003, '192.0.2.1', 443] as const };
    const flows = [translated(2000), own, inbound, other, { ...other, reply: withPort(2004), tcpState: 7 }];
    const { holders, translated: count, kept } = explain(flows);
    expect(holders.map(({ address, isInbound, ports }) => [address, isInbound, ports])).toEqual([
      ['10.0.0.6', false, 2],
      ['10.0.0.5', false, 1],
      ['198.51.100.1', false, 1],
      ['198.51.100.1', true, 1],
    ]);
    expect([count, kept]).toEqual([3, 1]);
  });

  it('is whoever is established, of two that hold one port', () => {
    const waiting: Flow = { ...translated(2000), tcpState: 7 };
    const reversed: Flow = {
      ...translated(2000),
      ...{ status: SEEN_REPLY, tcpState: 3, timeoutSeconds: 5 },
      original: ['192.0.2.1', 443, '198.51.100.1', 2000],
      reply: ['10.0.0.9', 2000, '192.0.2.1', 443],
    };
    for (const flows of [
      [waiting, reversed],
      [reversed, waiting],
    ]) {
      const { holders, secondsLeft } = explain(flows);
      expect(holders).toEqual([
        { address: '10.0.0.9', isInbound: true, established: 1, timeWait: 0, other: 0, ports: 1 },
      ]);
      expect(secondsLeft).toEqual([100]);
    }
  });

  it('closes from FIN_WAIT to CLOSE, and not before or while it is established', () => {
    const states = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const flows = states.map((tcpState, index) => ({ ...translated(2000 + index), tcpState }));
    expect(explain(flows).closing).toBe(5);
  });

  it('leaves what a wider range would add, without what is held there and below 1024', () => {
    const wide: SnatPorts = { name: 'any', first: 1000, last: 1999 };
    const flows = [translated(1024), translated(2000), translated(2001)];
    expect(explain(flows, KEY, wide).availableOutside).toBe(65_536 - 2000 - 2);
    expect(explain(flows, KEY, { name: 'any', first: 1024, last: 65_535 }).availableOutside).toBe(0);
  });

  it('says what the same ports would refuse if they were scattered', () => {
    const block = Array.from({ length: 900 }, (_, index) => translated(2000 + index));
    const { refusalRatio, spreadRefusalRatio } = explain(block, KEY, {
      ...{ name: 'any', first: 2000, last: 2999 },
    });
    expect(refusalRatio).toBeGreaterThan(0.4);
    expect(spreadRefusalRatio).toBeLessThan(1e-11);
    const full = Array.from({ length: 16 }, (_, index) => ({ ...translated(2000 + index), tcpState: 7 }));
    expect(explain(full, KEY, RANGE, true)).toMatchObject({
      ...{ refusalRatio: 2 ** -16, spreadRefusalRatio: 2 ** -16 },
    });
    expect(explain(full.map((flow) => ({ ...flow, status: SRC_NAT }))).spreadRefusalRatio).toBe(1);
  });
});

function withPort(port: number): Flow['reply'] {
  return ['192.0.2.1', 443, '198.51.100.1', port];
}
