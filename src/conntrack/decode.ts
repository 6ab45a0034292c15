import { HOST_IS_LITTLE_ENDIAN } from '../kernel/endian.ts';
import { AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP } from '../kernel/libc.ts';
import { attributeBytes, malformed } from '../kernel/netlink.ts';
import type { Family } from '../sockets/record.ts';
import type { ConntrackRecord, ConntrackTuple } from './record.ts';

/** struct nfgenmsg of `include/uapi/linux/netfilter/nfnetlink.h`: family u8, version u8, res_id be16. */
const NFGENMSG_BYTES = 4;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const NLA_TYPE_MASK = 0x3fff;

/** `enum ctattr_type` of `include/uapi/linux/netfilter/nfnetlink_conntrack.h`, and of what is nested there. */
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_TIMEOUT = 7;
const CTA_ZONE = 18;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_TUPLE_ZONE = 3;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_PROTOINFO_TCP = 1;
const CTA_PROTOINFO_TCP_STATE = 1;

/** What an entry was seen to have. */
const SOURCE = 1;
const DESTINATION = 2;
const PROTOCOL = 4;
const PORTS = 8 | 16;

/**
 * Fills `record` from the message at `start`..`end`. Throws an ExporterError, with `what` for the name of the dump, where it
 * is shorter than it must be, or lacks what each entry has.
 */
export function decodeConntrack(
  what: string,
  view: DataView,
  start: number,
  end: number,
  record: ConntrackRecord,
): void {
  if (end - start < NFGENMSG_BYTES) {
    throw malformed(what, `an entry of ${end - start} bytes, expected ${NFGENMSG_BYTES}`);
  }
  record.family = familyOf(what, view.getUint8(start));
  clear(record);
  let zone = 0;
  let original = 0;
  let reply = 0;
  for (let at = start + NFGENMSG_BYTES; at + 4 <= end; ) {
    const bytes = attributeBytes(what, view, at, end);
    const to = at + view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    const from = at + 4;
    const type = view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    if (type === CTA_TUPLE_ORIG) original = decodeTuple(what, view, from, to, record, record.original);
    else if (type === CTA_TUPLE_REPLY) reply = decodeTuple(what, view, from, to, record, record.reply);
    else if (type === CTA_STATUS && to - from >= 4) record.status = view.getUint32(from);
    else if (type === CTA_TIMEOUT && to - from >= 4) record.timeoutSeconds = view.getUint32(from);
    else if (type === CTA_PROTOINFO) record.tcpState = decodeTcpState(what, view, from, to);
    else if (type === CTA_ZONE && to - from >= 2) zone = view.getUint16(from);
    at += bytes;
  }
  expectWhole(what, original & reply, record.protocol);
  if (zone === 0) return;
  record.original.zone = zone;
  record.reply.zone = zone;
}

function familyOf(what: string, family: number): Family {
  if (family === AF_INET) return 4;
  if (family === AF_INET6) return 6;
  throw malformed(what, `an entry of family ${family}, expected 2 or 10`);
}

/** → what it has. */
function decodeTuple(
  what: string,
  view: DataView,
  first: number,
  end: number,
  record: ConntrackRecord,
  tuple: ConntrackTuple,
): number {
  let seen = 0;
  for (let at = first; at + 4 <= end; ) {
    const bytes = attributeBytes(what, view, at, end);
    const to = at + view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    const from = at + 4;
    const type = view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    if (type === CTA_TUPLE_IP) seen |= decodeAddresses(what, view, from, to, record.family, tuple);
    else if (type === CTA_TUPLE_PROTO) seen |= decodeProtocol(what, view, from, to, record, tuple);
    else if (type === CTA_TUPLE_ZONE && to - from >= 2) tuple.zone = view.getUint16(from);
    at += bytes;
  }
  return seen;
}

function decodeAddresses(
  what: string,
  view: DataView,
  first: number,
  end: number,
  family: Family,
  tuple: ConntrackTuple,
): number {
  const [source, destination, length] = family === 4 ? IPV4_ATTRIBUTES : IPV6_ATTRIBUTES;
  let seen = 0;
  for (let at = first; at + 4 <= end; ) {
    const bytes = attributeBytes(what, view, at, end);
    const type = view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    const isLong = view.getUint16(at, HOST_IS_LITTLE_ENDIAN) >= length;
    if (type === source && isLong) {
      seen |= SOURCE;
      tuple.source0 = view.getInt32(at + 4);
      if (family === 6) {
        tuple.source1 = view.getInt32(at + 8);
        tuple.source2 = view.getInt32(at + 12);
        tuple.source3 = view.getInt32(at + 16);
      }
    } else if (type === destination && isLong) {
      seen |= DESTINATION;
      tuple.destination0 = view.getInt32(at + 4);
      if (family === 6) {
        tuple.destination1 = view.getInt32(at + 8);
        tuple.destination2 = view.getInt32(at + 12);
        tuple.destination3 = view.getInt32(at + 16);
      }
    }
    at += bytes;
  }
  return seen;
}

/** Of source, of destination, and their bytes with the attribute's own 4. */
const IPV4_ATTRIBUTES = [CTA_IP_V4_SRC, CTA_IP_V4_DST, 8] as const;
const IPV6_ATTRIBUTES = [CTA_IP_V6_SRC, CTA_IP_V6_DST, 20] as const;

function decodeProtocol(
  what: string,
  view: DataView,
  first: number,
  end: number,
  record: ConntrackRecord,
  tuple: ConntrackTuple,
): number {
  let seen = 0;
  for (let at = first; at + 4 <= end; ) {
    const bytes = attributeBytes(what, view, at, end);
    const length = view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    const type = view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    if (type === CTA_PROTO_NUM && length >= 5) {
      seen |= PROTOCOL;
      record.protocol = view.getUint8(at + 4);
    } else if (type === CTA_PROTO_SRC_PORT && length >= 6) {
      seen |= 8;
      tuple.sourcePort = view.getUint16(at + 4);
    } else if (type === CTA_PROTO_DST_PORT && length >= 6) {
      seen |= 16;
      tuple.destinationPort = view.getUint16(at + 4);
    }
    at += bytes;
  }
  return seen;
}

function decodeTcpState(what: string, view: DataView, first: number, end: number): number {
  for (let at = first; at + 4 <= end; at += attributeBytes(what, view, at, end)) {
    const to = at + view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    const type = view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    if (type !== CTA_PROTOINFO_TCP || to > end) continue;
    for (let inner = at + 4; inner + 4 <= to; inner += attributeBytes(what, view, inner, to)) {
      const kind = view.getUint16(inner + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
      const length = view.getUint16(inner, HOST_IS_LITTLE_ENDIAN);
      if (kind === CTA_PROTOINFO_TCP_STATE && length >= 5 && inner + 5 <= to) return view.getUint8(inner + 4);
    }
  }
  return -1;
}

/** Zeros in place of what is missing would be another's. */
function expectWhole(what: string, seen: number, protocol: number): void {
  const hasPorts = protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
  const wanted = SOURCE | DESTINATION | PROTOCOL | (hasPorts ? PORTS : 0);
  if ((seen & wanted) !== wanted) throw malformed(what, 'an entry without addresses or ports');
}

function clear(record: ConntrackRecord): void {
  record.protocol = 0;
  record.status = 0;
  record.tcpState = -1;
  record.timeoutSeconds = 0;
  clearTuple(record.original);
  clearTuple(record.reply);
}

function clearTuple(tuple: ConntrackTuple): void {
  tuple.source1 = 0;
  tuple.source2 = 0;
  tuple.source3 = 0;
  tuple.destination1 = 0;
  tuple.destination2 = 0;
  tuple.destination3 = 0;
  tuple.sourcePort = 0;
  tuple.destinationPort = 0;
  tuple.zone = 0;
}
