import ipaddr from 'ipaddr.js';
import { type Attribute, encodeAttribute } from '../sockets/netlink/encode.ts';

/** One direction of an entry. */
export interface Direction {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly zone?: number;
}

/** An entry as ctnetlink tells it. */
export interface Entry {
  readonly original: Direction;
  readonly reply: Direction;
  /** IPPROTO_*. */
  readonly protocol: number;
  readonly status?: number;
  readonly tcpState?: number;
  readonly timeout?: number;
  readonly zone?: number;
  readonly more?: readonly Attribute[];
}

const NLA_F_NESTED = 0x8000;

/** struct nfgenmsg and its attributes (`include/uapi/linux/netfilter/nfnetlink_conntrack.h`). */
export function encodeEntry(entry: Entry): Uint8Array {
  const { original, reply, protocol, status = 0, tcpState, timeout, zone, more = [] } = entry;
  const family = original.source.includes(':') ? 10 : 2;
  const attributes = [
    tuple(1, original, protocol),
    tuple(2, reply, protocol),
    ...(zone === undefined ? [] : [{ type: 18, payload: bigEndian(zone, 2) }]),
    { type: 3, payload: bigEndian(status, 4) },
    ...(timeout === undefined ? [] : [{ type: 7, payload: bigEndian(timeout, 4) }]),
    ...(tcpState === undefined
      ? []
      : [nested(4, [nested(1, [{ type: 1, payload: Uint8Array.of(tcpState) }])])]),
    ...more,
  ];
  return Buffer.concat([Uint8Array.of(family, 0, 0, 0), ...attributes.map(encodeAttribute)]);
}

function tuple(type: number, direction: Direction, protocol: number): Attribute {
  const { source, destination, sourcePort, destinationPort, zone } = direction;
  const [from, to] = source.includes(':') ? [3, 4] : [1, 2];
  return nested(type, [
    nested(1, [
      { type: from, payload: bytesOf(source) },
      { type: to, payload: bytesOf(destination) },
    ]),
    nested(2, [
      { type: 1, payload: Uint8Array.of(protocol) },
      ...(sourcePort === undefined ? [] : [{ type: 2, payload: bigEndian(sourcePort, 2) }]),
      ...(destinationPort === undefined ? [] : [{ type: 3, payload: bigEndian(destinationPort, 2) }]),
    ]),
    ...(zone === undefined ? [] : [{ type: 3, payload: bigEndian(zone, 2) }]),
  ]);
}

function nested(type: number, attributes: readonly Attribute[]): Attribute {
  return { type: type | NLA_F_NESTED, payload: Buffer.concat(attributes.map(encodeAttribute)) };
}

function bytesOf(address: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

function bigEndian(value: number, length: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes.subarray(4 - length);
}
