import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SnatTowards } from '../../src/aggregate/snatTowards.ts';
import { ConntrackStatus } from '../../src/conntrack/record.ts';
import { anyFlow, type Flow, TCP, translated, visitFlows } from './flows.ts';

const { SRC_NAT } = ConntrackStatus;

function towards(flows: readonly Flow[], address: string, port: number, clients: readonly string[] = []) {
  const found = new SnatTowards({ address, port }, clients);
  visitFlows(flows, (record) => found.add(record));
  return found;
}

function names(found: SnatTowards): Record<string, readonly [number, number]> {
  return Object.fromEntries(
    found
      .found()
      .map(({ key, entries, ofClients }) => [
        `${key.protocol} ${key.zone} ${key.natAddress} > ${key.remoteAddress}:${key.remotePort}`,
        [entries, ofClients] as const,
      ]),
  );
}

/** A flow to a service, whose backend answers. */
function toBackend(port: number, backend: string): Flow {
  return {
    ...translated(port),
    original: ['10.0.0.5', 40_000, '10.96.0.10', 443],
    reply: [backend, 8443, '198.51.100.1', port],
  };
}

describe('what a destination is behind a NAT', () => {
  it('is every key of an entry to it or from it, before DNAT or after it', () => {
    fc.assert(
      fc.property(
        fc.array(anyFlow, { maxLength: 60 }),
        fc.constantFrom('192.0.2.1', '2001:db8:9::2'),
        fc.constantFrom(53, 443),
        (flows, address, port) => {
          const family = flows.filter(({ original }) => original[0].includes(':') === address.includes(':'));
          const nats = new Set(family.filter(({ status }) => status & SRC_NAT).map(({ reply }) => reply[2]));
          const expected: Record<string, [number, number]> = {};
          for (const { protocol, zone, original, reply } of family) {
            if (protocol !== TCP && protocol !== 17) continue;
            const isTo =
              (original[2] === address && original[3] === port) ||
              (reply[0] === address && reply[1] === port);
            const isFrom = original[0] === address && original[1] === port;
            if (!isTo && !isFrom) continue;
            const [remote, remotePort, nat] = isTo ? reply : original;
            if (!nats.has(nat)) continue;
            const name = `${protocol === TCP ? 'tcp' : 'udp'} ${zone} ${nat} > ${remote}:${remotePort}`;
            const [entries, ofClients] = expected[name] ?? [0, 0];
            expected[name] = [entries + 1, ofClients + Number(original[0] === '10.0.0.5')];
          }
          expect(names(towards(flows, address, port, ['10.0.0.5', 'fd00::77']))).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is one for each backend of a service, the clients’ own first', () => {
    const flows = [
      toBackend(2000, '10.244.1.7'),
      toBackend(2001, '10.244.1.8'),
      toBackend(2002, '10.244.1.8'),
    ];
    expect(Object.keys(names(towards(flows, '10.96.0.10', 443)))).toEqual([
      'tcp 0 198.51.100.1 > 10.244.1.8:8443',
      'tcp 0 198.51.100.1 > 10.244.1.7:8443',
    ]);
    const mine = { ...toBackend(2003, '10.244.1.7'), original: ['10.0.0.6', 1, '10.96.0.10', 443] } as Flow;
    expect(names(towards([...flows, mine], '10.96.0.10', 443, ['10.0.0.6']))).toEqual({
      'tcp 0 198.51.100.1 > 10.244.1.7:8443': [2, 1],
      'tcp 0 198.51.100.1 > 10.244.1.8:8443': [2, 0],
    });
  });

  it('is nothing without SNAT, and of another protocol where only one was asked for', () => {
    const plain = { ...translated(2000), status: 0 };
    const found = towards([plain], '192.0.2.1', 443);
    expect([found.found(), found.addresses]).toEqual([[], 0]);
    const udp = new SnatTowards({ address: '192.0.2.1', port: 443 }, [], ['udp']);
    visitFlows([translated(2000)], (record) => udp.add(record));
    expect([udp.found(), udp.addresses]).toEqual([[], 1]);
  });

  it('remembers 4096 keys, however many strangers make', () => {
    const flows = Array.from({ length: 6000 }, (_, index) =>
      toBackend(2000, `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`),
    );
    const found = towards([...flows, ...flows], '10.96.0.10', 443).found();
    expect(found).toHaveLength(4096);
    expect(new Set(found.map(({ entries }) => entries))).toEqual(new Set([2]));
  });
});
