import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import type { SnatPorts } from '../../src/aggregate/snatPorts.ts';
import {
  ConntrackRecord,
  ConntrackStatus,
  type ConntrackTuple,
  type VisitConntrack,
} from '../../src/conntrack/record.ts';

const { SRC_NAT, SEEN_REPLY, OFFLOAD } = ConntrackStatus;
export const TCP = 6;
export const UDP = 17;

/** A flow of `remote:port`, by its original and its reply tuple: `source:port > destination:port`. */
export interface Flow {
  readonly protocol: number;
  readonly status: number;
  readonly tcpState: number;
  readonly zone: number;
  readonly timeoutSeconds: number;
  readonly original: Tuple;
  readonly reply: Tuple;
}

export type Tuple = readonly [
  source: string,
  sourcePort: number,
  destination: string,
  destinationPort: number,
];

export const RANGE: SnatPorts = { name: 'any', first: 2000, last: 2015 };
const IPV4 = { nats: ['198.51.100.1', '198.51.100.2'], remotes: ['192.0.2.1', '192.0.2.2'] };
const IPV6 = { nats: ['2001:db8::1', '2001:db8::2'], remotes: ['2001:db8:9::1', '2001:db8:9::2'] };

export const anyFlow: fc.Arbitrary<Flow> = fc
  .record({
    addresses: fc.constantFrom(IPV4, IPV6),
    nat: fc.nat(1),
    remote: fc.nat(1),
    remotePort: fc.constantFrom(53, 443),
    // Some outside of the range.
    port: fc.integer({ min: 1998, max: 2017 }),
    kind: fc.constantFrom('translated', 'translated', 'translated', 'own', 'inbound', 'through'),
    protocol: fc.constantFrom(TCP, TCP, UDP, 132),
    tcpState: fc.integer({ min: 1, max: 9 }),
    status: fc.constantFrom(0, SEEN_REPLY, SEEN_REPLY | OFFLOAD),
    zone: fc.constantFrom(0, 0, 0, 7),
    timeoutSeconds: fc.nat(200),
    host: fc.integer({ min: 5, max: 8 }),
  })
  .map(
    ({ addresses, nat, remote, remotePort, port, kind, protocol, tcpState, status, zone, host, ...rest }) => {
      const [from, to] = [addresses.nats[nat] as string, addresses.remotes[remote] as string];
      const client = `${addresses === IPV4 ? '10.0.0.' : 'fd00::'}${host}`;
      const outside: Tuple = [to, remotePort, from, port];
      const tuples: Pick<Flow, 'original' | 'reply'> =
        kind === 'translated'
          ? { original: [client, 40_000, to, remotePort], reply: outside }
          : kind === 'own'
            ? { original: [from, port, to, remotePort], reply: outside }
            : kind === 'inbound'
              ? { original: outside, reply: [from, port, to, remotePort] }
              : { original: [client, port, to, remotePort], reply: [to, remotePort, client, port] };
      return {
        ...{ ...rest, protocol, zone, tcpState: protocol === TCP ? tcpState : -1 },
        status: kind === 'translated' ? status | SRC_NAT : status,
        ...tuples,
      };
    },
  );

export function translated(port: number, nat = '198.51.100.1'): Flow {
  return {
    ...{ protocol: TCP, status: SRC_NAT | SEEN_REPLY, tcpState: 3, zone: 0, timeoutSeconds: 100 },
    original: ['10.0.0.5', 40_000, '192.0.2.1', 443],
    reply: ['192.0.2.1', 443, nat, port],
  };
}

/** A walk of them. */
export function visitFlows(flows: readonly Flow[], visit: VisitConntrack): void {
  const record = new ConntrackRecord();
  for (const { original, reply, zone, ...rest } of flows) {
    Object.assign(record, rest, { family: original[0].includes(':') ? 6 : 4 });
    fill(record.original, original, zone);
    fill(record.reply, reply, zone);
    visit(record);
  }
}

function fill(
  tuple: ConntrackTuple,
  [source, sourcePort, destination, destinationPort]: Tuple,
  zone: number,
): void {
  const words = (address: string) => {
    const view = new DataView(Uint8Array.from(ipaddr.parse(address).toByteArray()).buffer);
    return [0, 4, 8, 12].map((at) => (at < view.byteLength ? view.getInt32(at) : 0));
  };
  const [source0, source1, source2, source3] = words(source);
  const [destination0, destination1, destination2, destination3] = words(destination);
  Object.assign(tuple, { source0, source1, source2, source3, sourcePort, zone });
  Object.assign(tuple, { destination0, destination1, destination2, destination3, destinationPort });
}
