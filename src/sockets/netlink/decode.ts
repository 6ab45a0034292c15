import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';
import { AF_INET, AF_INET6 } from '../../kernel/libc.ts';
import { attributeBytes, malformed } from '../../kernel/netlink.ts';
import { type SocketRecord, TcpState, TIME_WAIT_MS, Timestamps } from '../record.ts';

/**
 * struct inet_diag_msg of `include/uapi/linux/inet_diag.h`, 72 bytes, then attributes:
 * 0 family u8, 1 state u8, 2 timer u8, 3 retrans u8, 4 sport be16, 6 dport be16, 8 src be32[4], 24 dst be32[4],
 * 40 if u32, 44 cookie u32[2], 52 expires u32, 56 rqueue u32, 60 wqueue u32, 64 uid u32, 68 inode u32.
 */
const INET_DIAG_MSG_BYTES = 72;
const INET_DIAG_SKMEMINFO = 7;
const INET_DIAG_SKV6ONLY = 11;
const INET_DIAG_CGROUP_ID = 21;
/** Bytes of an attribute that carries a u64. */
const U64_ATTRIBUTE_BYTES = 12;
const CGROUP_HEADER = HOST_IS_LITTLE_ENDIAN
  ? (INET_DIAG_CGROUP_ID << 16) | U64_ATTRIBUTE_BYTES
  : (U64_ATTRIBUTE_BYTES << 16) | INET_DIAG_CGROUP_ID;
/** Index of SK_MEMINFO_DROPS in the array that INET_DIAG_SKMEMINFO carries. */
const SK_MEMINFO_DROPS = 8;
/** `idiag_timer` of a TIME_WAIT socket, whose `idiag_expires` is the milliseconds left. */
const TIMER_TIME_WAIT = 3;
const MAPPED_PREFIX = 0xffff;

/**
 * Fills `record` from the message at `start`..`end`. Throws an ExporterError, with `what` for the name of the dump, where
 * it is shorter than it must be.
 */
export function decodeSocket(
  what: string,
  view: DataView,
  start: number,
  end: number,
  record: SocketRecord,
): void {
  if (end - start < INET_DIAG_MSG_BYTES) {
    throw malformed(what, `a socket of ${end - start} bytes, expected ${INET_DIAG_MSG_BYTES}`);
  }
  const state = view.getUint8(start + 1);
  record.state = state;
  record.localPort = view.getUint16(start + 4);
  record.remotePort = view.getUint16(start + 6);
  decodeAddresses(what, view, start, record);
  record.timeWaitAgeMs =
    state === TcpState.TIME_WAIT && view.getUint8(start + 2) === TIMER_TIME_WAIT
      ? Math.max(0, TIME_WAIT_MS - view.getUint32(start + 52, HOST_IS_LITTLE_ENDIAN))
      : -1;
  record.device = view.getUint32(start + 40, HOST_IS_LITTLE_ENDIAN);
  record.inode = view.getUint32(start + 68, HOST_IS_LITTLE_ENDIAN);
  clearOptional(record);
  const attributes = start + INET_DIAG_MSG_BYTES;
  if (state === TcpState.LISTEN || state === TcpState.CLOSE) {
    record.receiveQueue = view.getUint32(start + 56, HOST_IS_LITTLE_ENDIAN);
    record.id = record.inode;
    if (state === TcpState.LISTEN) record.backlogLimit = view.getUint32(start + 60, HOST_IS_LITTLE_ENDIAN);
    decodeAttributes(what, view, attributes, end, record);
  } else {
    decodeCgroup(what, view, attributes, end, record);
  }
}

/** A connection has nothing else that is wanted. */
function decodeCgroup(what: string, view: DataView, first: number, end: number, record: SocketRecord): void {
  for (let at = first; at + 4 <= end; ) {
    // Length and type in one read: this is done for every connection.
    if (view.getUint32(at, HOST_IS_LITTLE_ENDIAN) === CGROUP_HEADER && tryCgroup(view, at, end, record))
      return;
    at += attributeBytes(what, view, at, end);
  }
}

/** Takes the cgroup if its attribute stands at `at` → whether it does. */
function tryCgroup(view: DataView, at: number, end: number, record: SocketRecord): boolean {
  if (at + U64_ATTRIBUTE_BYTES > end) return false;
  if (view.getUint16(at, HOST_IS_LITTLE_ENDIAN) !== U64_ATTRIBUTE_BYTES) return false;
  if (view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) !== INET_DIAG_CGROUP_ID) return false;
  record.cgroupLow = view.getInt32(at + (HOST_IS_LITTLE_ENDIAN ? 4 : 8), HOST_IS_LITTLE_ENDIAN);
  record.cgroupHigh = view.getInt32(at + (HOST_IS_LITTLE_ENDIAN ? 8 : 4), HOST_IS_LITTLE_ENDIAN);
  return true;
}

function decodeAddresses(what: string, view: DataView, start: number, record: SocketRecord): void {
  const family = view.getUint8(start);
  if (family === AF_INET) {
    record.socketFamily = 4;
    setIpv4(record, view.getInt32(start + 8), view.getInt32(start + 24));
    return;
  }
  if (family !== AF_INET6) throw malformed(what, `a socket of family ${family}, expected 2 or 10`);
  record.socketFamily = 6;
  if (isMapped(view, start + 8)) {
    setIpv4(record, view.getInt32(start + 20), view.getInt32(start + 36));
    return;
  }
  record.family = 6;
  record.local0 = view.getInt32(start + 8);
  record.local1 = view.getInt32(start + 12);
  record.local2 = view.getInt32(start + 16);
  record.local3 = view.getInt32(start + 20);
  record.remote0 = view.getInt32(start + 24);
  record.remote1 = view.getInt32(start + 28);
  record.remote2 = view.getInt32(start + 32);
  record.remote3 = view.getInt32(start + 36);
}

function isMapped(view: DataView, at: number): boolean {
  return view.getInt32(at) === 0 && view.getInt32(at + 4) === 0 && view.getInt32(at + 8) === MAPPED_PREFIX;
}

function setIpv4(record: SocketRecord, local: number, remote: number): void {
  record.family = 4;
  record.local0 = local;
  record.local1 = 0;
  record.local2 = 0;
  record.local3 = 0;
  record.remote0 = remote;
  record.remote1 = 0;
  record.remote2 = 0;
  record.remote3 = 0;
}

function decodeAttributes(
  what: string,
  view: DataView,
  first: number,
  end: number,
  record: SocketRecord,
): void {
  for (let at = first; at + 4 <= end; ) {
    const bytes = attributeBytes(what, view, at, end);
    const length = view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    const type = view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN);
    if (type === INET_DIAG_SKV6ONLY && length >= 5) record.v6only = view.getUint8(at + 4) !== 0;
    else if (type === INET_DIAG_SKMEMINFO && length >= 4 + 4 * (SK_MEMINFO_DROPS + 1)) {
      record.drops = view.getUint32(at + 4 + 4 * SK_MEMINFO_DROPS, HOST_IS_LITTLE_ENDIAN);
    } else tryCgroup(view, at, end, record);
    at += bytes;
  }
}

function clearOptional(record: SocketRecord): void {
  record.id = 0;
  record.vrf = 0;
  record.v6only = false;
  record.receiveQueue = -1;
  record.backlogLimit = -1;
  record.drops = -1;
  record.cgroupLow = 0;
  record.cgroupHigh = 0;
  // No dump tells.
  record.reuseAgeMs = -1;
  record.timestamps = Timestamps.UNKNOWN;
}
