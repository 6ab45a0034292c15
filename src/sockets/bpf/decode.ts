import { AF_INET6 } from '../../kernel/libc.ts';
import type { HeldSocket } from '../../owners/heldSocket.ts';
import { type SocketRecord, TcpState, TIME_WAIT_MS, Timestamps } from '../record.ts';
import { byteOf } from './recordStore.ts';

/** Of `src/kernel/bpf/walk.h`. */
const KIND_BUCKET = 1;
const FLAG_V6ONLY = 1;
const FLAG_HAS_FILE = 2;
const FLAG_TIMESTAMPS = 4;
const FLAG_BLOCKED = 8;

/** Words of `struct record`, in their order: bytes state, kind, flags, family; u16 port, remote port; … */
const HEAD = 0;
const PORTS = 1;
const DEVICE = 3;
const LOCAL = 4;
const REMOTE = 8;
const INODE = 12;
const CGROUP_LOW = 13;
const CGROUP_HIGH = 14;
const EXTRA = 15;

const MAPPED_PREFIX = 0xffff;
/** An inode number that says no more than that there is one. */
const SOME_INODE = 1;

/** A bind bucket → whether connect() passes over its port. */
export function isBlocked(words: Int32Array, at: number): boolean {
  return (flagsOf(words, at) & FLAG_BLOCKED) !== 0;
}

export function isBucket(words: Int32Array, at: number): boolean {
  return byteOf(words[at + HEAD] as number, 1) === KIND_BUCKET;
}

/** A bind bucket: its port, and the VRF that it is of. */
export function decodeBucket(words: Int32Array, at: number, record: SocketRecord): void {
  record.localPort = portsOf(words, at) & 0xffff;
  record.vrf = words[at + DEVICE] as number;
}

/** An address that a port is bound on. */
export function decodeBoundAddress(words: Int32Array, at: number, record: SocketRecord): void {
  decodeLocal(words, at, record);
  record.vrf = words[at + REMOTE] as number;
}

/** A descriptor of a process that is a socket. */
export function decodeHolder(words: Int32Array, at: number): HeldSocket {
  return {
    inode: (words[at + INODE] as number) >>> 0,
    pid: words[at + EXTRA] as number,
    descriptor: words[at + REMOTE] as number,
  };
}

/** A socket that is not connected. Its queue, limit and drops are those of a listener only. */
export function decodeUnconnected(words: Int32Array, at: number, record: SocketRecord): void {
  decodeLocal(words, at, record);
  clearConnected(record);
  const isListener = record.state === TcpState.LISTEN;
  record.receiveQueue = isListener ? (words[at + REMOTE] as number) >>> 0 : 0;
  record.backlogLimit = isListener ? (words[at + REMOTE + 1] as number) >>> 0 : -1;
  record.drops = isListener ? (words[at + REMOTE + 2] as number) >>> 0 : 0;
  record.inode = (words[at + INODE] as number) >>> 0;
  record.id = record.inode;
  record.cgroupLow = words[at + CGROUP_LOW] as number;
  record.cgroupHigh = words[at + CGROUP_HIGH] as number;
  record.vrf = words[at + EXTRA] as number;
}

/** A UDP socket, connected or not. */
export function decodeUdp(words: Int32Array, at: number, record: SocketRecord): void {
  if (byteOf(words[at + HEAD] as number, 0) === TcpState.CLOSE) {
    decodeUnconnected(words, at, record);
    record.receiveQueue = (words[at + REMOTE] as number) >>> 0;
    record.drops = (words[at + REMOTE + 2] as number) >>> 0;
  } else decodeConnection(words, at, record, 1);
}

/** @param ticksPerSecond CONFIG_HZ */
export function decodeConnection(
  words: Int32Array,
  at: number,
  record: SocketRecord,
  ticksPerSecond: number,
): void {
  decodeLocal(words, at, record);
  record.remotePort = portsOf(words, at) >>> 16;
  record.remote0 = words[at + REMOTE] as number;
  if (record.family === 6) {
    record.remote1 = words[at + REMOTE + 1] as number;
    record.remote2 = words[at + REMOTE + 2] as number;
    record.remote3 = words[at + REMOTE + 3] as number;
  } else {
    if (record.socketFamily === 6) record.remote0 = words[at + REMOTE + 3] as number;
    record.remote1 = 0;
    record.remote2 = 0;
    record.remote3 = 0;
  }
  record.id = 0;
  record.receiveQueue = -1;
  record.backlogLimit = -1;
  record.drops = -1;
  const flags = flagsOf(words, at);
  const inode = (words[at + INODE] as number) >>> 0;
  record.inode = inode === 0 && (flags & FLAG_HAS_FILE) !== 0 ? SOME_INODE : inode;
  if (record.state === TcpState.TIME_WAIT) {
    const leftMs = ((words[at + EXTRA] as number) * 1000) / ticksPerSecond;
    record.timeWaitAgeMs = Math.round(Math.min(TIME_WAIT_MS, Math.max(0, TIME_WAIT_MS - leftMs)));
    record.reuseAgeMs = words[at + CGROUP_LOW] as number;
    record.timestamps = (flags & FLAG_TIMESTAMPS) !== 0 ? Timestamps.USED : Timestamps.NOT_USED;
    record.vrf = words[at + CGROUP_HIGH] as number;
    record.cgroupLow = 0;
    record.cgroupHigh = 0;
    return;
  }
  record.timeWaitAgeMs = -1;
  record.reuseAgeMs = -1;
  record.timestamps = Timestamps.UNKNOWN;
  record.vrf = words[at + EXTRA] as number;
  record.cgroupLow = words[at + CGROUP_LOW] as number;
  record.cgroupHigh = words[at + CGROUP_HIGH] as number;
}

/** State, port, local address, device. No VRF. */
function decodeLocal(words: Int32Array, at: number, record: SocketRecord): void {
  const head = words[at + HEAD] as number;
  record.state = byteOf(head, 0);
  record.v6only = (byteOf(head, 2) & FLAG_V6ONLY) !== 0;
  record.localPort = portsOf(words, at) & 0xffff;
  record.device = words[at + DEVICE] as number;
  record.vrf = 0;
  const first = words[at + LOCAL] as number;
  if (byteOf(head, 3) !== AF_INET6) {
    record.socketFamily = 4;
    setLocal(record, first);
    return;
  }
  record.socketFamily = 6;
  const second = words[at + LOCAL + 1] as number;
  const third = words[at + LOCAL + 2] as number;
  const fourth = words[at + LOCAL + 3] as number;
  if (first === 0 && second === 0 && third === MAPPED_PREFIX) {
    setLocal(record, fourth);
    return;
  }
  record.family = 6;
  record.local0 = first;
  record.local1 = second;
  record.local2 = third;
  record.local3 = fourth;
}

function setLocal(record: SocketRecord, address: number): void {
  record.family = 4;
  record.local0 = address;
  record.local1 = 0;
  record.local2 = 0;
  record.local3 = 0;
}

function clearConnected(record: SocketRecord): void {
  record.remotePort = 0;
  record.remote0 = 0;
  record.remote1 = 0;
  record.remote2 = 0;
  record.remote3 = 0;
  record.timeWaitAgeMs = -1;
  record.reuseAgeMs = -1;
  record.timestamps = Timestamps.UNKNOWN;
}

/** Two u16: the local port, then the remote one. */
function portsOf(words: Int32Array, at: number): number {
  return words[at + PORTS] as number;
}

function flagsOf(words: Int32Array, at: number): number {
  return byteOf(words[at + HEAD] as number, 2);
}
