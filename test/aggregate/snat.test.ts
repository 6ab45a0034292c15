import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SnatNumbers, SnatTables } from '../../src/aggregate/snat.ts';
import { AssumedPorts } from '../../src/aggregate/snatPorts.ts';
import { ConntrackStatus } from '../../src/conntrack/record.ts';
import { anyFlow, type Flow, RANGE, TCP, type Tuple, translated, UDP, visitFlows } from './flows.ts';

const { SRC_NAT, SEEN_REPLY, OFFLOAD } = ConntrackStatus;

/** The formula, with nothing but sets and strings. */
function byHand(flows: readonly Flow[]) {
  const ours = flows.filter(({ protocol }) => protocol === TCP || protocol === UDP);
  const nats = new Set(ours.filter(({ status }) => status & SRC_NAT).map(({ reply }) => reply[2]));
  const used = new Map<string, Map<number, string>>();
  const holders = new Map<string, Map<number, string>>();
  for (const { protocol, zone, original, reply, status, tcpState } of ours) {
    const state =
      protocol === UDP
        ? status & SEEN_REPLY
          ? 'established'
          : 'other'
        : tcpState === 3
          ? 'established'
          : tcpState === 7
            ? 'timeWait'
            : 'other';
    for (const [remote, remotePort, nat, port] of [reply, original]) {
      if (!nats.has(nat) || port < RANGE.first || port > RANGE.last) continue;
      const key = `${protocol === TCP ? 'tcp' : 'udp'} ${zone} ${nat} > ${remote}:${remotePort}`;
      const ports = used.get(key) ?? new Map<number, string>();
      used.set(key, ports);
      // Of several who hold a port, the last.
      holders.set(key, (holders.get(key) ?? new Map<number, string>()).set(port, original[0]));
      const states = ['other', 'timeWait', 'established'];
      const before = ports.get(port) ?? 'other';
      ports.set(port, states.indexOf(before) > states.indexOf(state) ? before : state);
    }
  }
  return Object.fromEntries(
    [...used].map(([key, ports]) => {
      const count = (state: string) => [...ports.values()].filter((one) => one === state).length;
      return [
        key,
        {
          used: { established: count('established'), timeWait: count('timeWait'), other: count('other') },
          available: 16 - ports.size,
          clients: mostOf([...(holders.get(key)?.values() ?? [])]),
        },
      ];
    }),
  );
}

/** The three most frequent counts; of equal ones either may be told. */
function mostOf(clients: readonly string[]): number[] {
  const counts = new Map<string, number>();
  for (const client of clients) counts.set(client, (counts.get(client) ?? 0) + 1);
  return [...counts.values()].toSorted((a, b) => b - a).slice(0, 3);
}

describe('ports behind a NAT', () => {
  it('are those of every reply tuple and original tuple towards a NAT address', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(anyFlow, { maxLength: 80 }), { minLength: 1, maxLength: 3 }),
        (samples) => {
          const tables = new SnatTables(new AssumedPorts([RANGE]));
          for (const flows of samples) {
            // Twice, since addresses are known from the walk before.
            walk(tables, flows);
            const numbers = walk(tables, flows);
            const expected = byHand(flows);
            expect(rowsOf(numbers)).toEqual(expected);
            for (const protocol of ['tcp', 'udp'] as const) {
              const own = Object.entries(expected).filter(([key]) => key.startsWith(protocol));
              expect(numbers[protocol].destinations).toBe(own.length);
              expect(numbers[protocol].available).toBe(
                Math.min(16, ...own.map(([, { available }]) => available)),
              );
              expect(numbers[protocol].ratio).toBe(1 - numbers[protocol].available / 16);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('of an address that is met for the first time are told from the next walk on', () => {
    const flow = translated(2000);
    const tables = new SnatTables(new AssumedPorts([RANGE]));
    expect(walk(tables, [flow]).destinations.total).toBe(0);
    expect(walk(tables, [flow]).destinations.total).toBe(1);
    expect(walk(tables, []).destinations.total).toBe(0);
  });

  it('are as many as the range of that address has', () => {
    const ranges = [
      { name: 'any', first: 2000, last: 2009 },
      { name: '198.51.100.2', first: 2000, last: 2003 },
    ];
    const flows = ['198.51.100.1', '198.51.100.2'].map((nat) => translated(2001, nat));
    const tables = new SnatTables(new AssumedPorts(ranges));
    walk(tables, flows);
    const { destinations, rangePorts, tcp } = walk(tables, flows);
    expect(destinations.fullest.map(({ natAddress, available }) => [natAddress, available])).toEqual([
      ['198.51.100.2', 3],
      ['198.51.100.1', 9],
    ]);
    expect([rangePorts, tcp.available]).toEqual([10, 3]);
    expect([tables.isWorthIt(0), tables.isWorthIt(1)]).toEqual([false, true]);
  });

  it('are counted of all destinations, and told of the fullest, however many of a small range are full', () => {
    const flows = Array.from({ length: 600 }, (_, index): Flow => {
      const remotePort = 1000 + index;
      const port = RANGE.first + (index % 2);
      return {
        ...translated(port),
        original: ['10.0.0.5', 40_000, '192.0.2.1', remotePort],
        reply: ['192.0.2.1', remotePort, '198.51.100.1', port],
      };
    });
    const small = { name: 'any', first: RANGE.first, last: RANGE.first + 1 };
    const full = [
      ...flows,
      { ...flows[0], reply: ['192.0.2.1', 1000, '198.51.100.1', small.last] as Tuple } as Flow,
    ];
    const tables = new SnatTables(new AssumedPorts([small]));
    walk(tables, full);
    const { tcp, destinations } = walk(tables, full);
    expect(tcp).toMatchObject({ destinations: 600, ratio: 1, available: 0, refusalRatio: 1 });
    expect(destinations.fullest[0]).toMatchObject({ remotePort: 1000, available: 0 });
  });

  it('without a range are those from 1024 on, and a quarter of them is worth a walk', () => {
    const tables = new SnatTables(new AssumedPorts([]));
    expect([16_127, 16_128].map((entries) => tables.isWorthIt(entries))).toEqual([false, true]);
    walk(tables, [translated(1023), translated(1024)]);
    const { rangePorts, destinations } = walk(tables, [translated(1023), translated(1024)]);
    expect([rangePorts, destinations.fullest[0]?.available]).toEqual([64_512, 64_511]);
  });

  it('has no more rows than the limit, and the regimes of all', () => {
    const flows = Array.from({ length: 16 }, (_, index) => translated(2000 + index));
    const udp = { ...translated(2000), protocol: UDP, tcpState: -1 };
    const tables = new SnatTables(new AssumedPorts([RANGE]));
    walk(tables, [...flows, udp]);
    const numbers = walk(tables, [...flows, udp], 1);
    expect(numbers.destinations).toMatchObject({ total: 2, fullest: [{ protocol: 'tcp', refusalRatio: 1 }] });
    expect(numbers.tcp).toEqual({ ratio: 1, available: 0, refusalRatio: 1, destinations: 1 });
    expect(numbers.udp).toEqual({ ratio: 1 / 16, available: 15, refusalRatio: 0, destinations: 1 });
  });

  it('name the clients that hold most of them, as their connections began, and the host by its NAT address', () => {
    const from = (client: string, first: number, count: number) =>
      Array.from({ length: count }, (_, index): Flow => {
        const flow = translated(first + index);
        return { ...flow, original: [client, 40_000, '192.0.2.1', 443] };
      });
    const own: Flow = {
      ...translated(2015),
      status: SEEN_REPLY,
      original: ['198.51.100.1', 2015, '192.0.2.1', 443],
    };
    const flows = [
      ...from('10.0.0.7', 2000, 4),
      ...from('10.0.0.8', 2004, 6),
      ...from('10.0.0.9', 2010, 3),
      own,
    ];
    const tables = new SnatTables(new AssumedPorts([RANGE]));
    walk(tables, flows);
    expect(walk(tables, flows).destinations.fullest[0]?.clients).toEqual([
      { address: '10.0.0.8', ports: 6 },
      { address: '10.0.0.7', ports: 4 },
      { address: '10.0.0.9', ports: 3 },
    ]);
    walk(tables, [...from('10.0.0.7', 2000, 1), own]);
    expect(walk(tables, [...from('10.0.0.7', 2000, 1), own]).destinations.fullest[0]?.clients).toContainEqual(
      {
        address: '198.51.100.1',
        ports: 1,
      },
    );
  });

  it('are told of the destination that refuses most, though others are fuller', () => {
    const wide = { name: 'any', first: 2000, last: 2999 };
    const towards = (port: number, flows: readonly Flow[]) =>
      flows.map(({ original, reply, ...flow }) => ({
        ...flow,
        original: [original[0], original[1], original[2], port] as Tuple,
        reply: [reply[0], port, reply[2], reply[3]] as Tuple,
      }));
    const taken = (isTaken: (index: number) => boolean) =>
      Array.from({ length: 1000 }, (_, index) => index)
        .filter(isTaken)
        .map((index) => translated(2000 + index));
    // 800 ports that leave one free in every window, and 500 neighbours.
    const flows = [
      ...towards(
        1,
        taken((index) => index % 5 > 0),
      ),
      ...towards(
        2,
        taken((index) => index < 500),
      ),
    ];
    const tables = new SnatTables(new AssumedPorts([wide]));
    walk(tables, flows);
    const { destinations, tcp } = walk(tables, flows, 1);
    expect(destinations.fullest).toHaveLength(1);
    expect(destinations.fullest[0]).toMatchObject({ remotePort: 2, refusalRatio: tcp.refusalRatio });
    expect(tcp.ratio).toBe(0.8);
    expect(tcp.refusalRatio).toBeGreaterThan(0.001);
  });

  it('are given to new ones where the kernel ends what is closing', () => {
    const closing = (more: Partial<Flow> = {}) =>
      Array.from({ length: 16 }, (_, index) => ({ ...translated(2000 + index), tcpState: 7, ...more }));
    const ratio = (flows: readonly Flow[], evicts: boolean) => {
      const tables = new SnatTables(new AssumedPorts([RANGE]));
      walk(tables, flows, 20, evicts);
      return walk(tables, flows, 20, evicts).tcp.refusalRatio;
    };
    expect(ratio(closing(), true)).toBe(2 ** -16);
    expect(ratio(closing(), false)).toBe(1);
    expect(ratio(closing({ status: SRC_NAT | OFFLOAD }), true)).toBe(1);
    expect(ratio(closing({ tcpState: 3 }), true)).toBe(1);
  });
});

function walk(tables: SnatTables, flows: readonly Flow[], limit = 100, evicts = false): SnatNumbers {
  tables.begin();
  visitFlows(flows, (record) => tables.add(record));
  return tables.summarise(limit, evicts);
}

function rowsOf({ destinations }: SnatNumbers) {
  return Object.fromEntries(
    destinations.fullest.map(({ protocol, zone, natAddress, remoteAddress, remotePort, ...numbers }) => {
      const { used, available, clients } = numbers;
      return [
        `${protocol} ${zone} ${natAddress} > ${remoteAddress}:${remotePort}`,
        { used, available, clients: clients.map(({ ports }) => ports) },
      ];
    }),
  );
}
