import ipaddr from 'ipaddr.js';
import { HOST_IS_LITTLE_ENDIAN } from '../../../src/kernel/endian.ts';

/** A socket as sock_diag tells it: mapped addresses still look mapped here. */
export interface DiagSocket {
  readonly family: 'ipv4' | 'ipv6';
  readonly state: number;
  readonly local: string;
  readonly localPort: number;
  readonly remote?: string;
  readonly remotePort?: number;
  readonly timer?: number;
  /** Milliseconds until the timer goes off. */
  readonly expires?: number;
  readonly receiveQueue?: number;
  readonly sendQueue?: number;
  readonly inode?: number;
  readonly attributes?: readonly Attribute[];
}

/** struct nlattr and its payload. */
export interface Attribute {
  readonly type: number;
  readonly payload: Uint8Array;
  /** What its header says, where that is not the truth. */
  readonly claimedLength?: number;
}

const FAMILIES = { ipv4: 2, ipv6: 10 };

/** struct inet_diag_msg (`include/uapi/linux/inet_diag.h`) and its attributes. */
export function encodeSocket(socket: DiagSocket): Uint8Array {
  const { remotePort = 0, timer = 0, expires = 0, receiveQueue = 0, sendQueue = 0, inode = 0 } = socket;
  const { remote = socket.family === 'ipv4' ? '0.0.0.0' : '::' } = socket;
  const bytes = new Uint8Array(72);
  const view = new DataView(bytes.buffer);
  bytes[0] = FAMILIES[socket.family];
  bytes[1] = socket.state;
  bytes[2] = timer;
  view.setUint16(4, socket.localPort);
  view.setUint16(6, remotePort);
  bytes.set(ipaddr.parse(socket.local).toByteArray(), 8);
  bytes.set(ipaddr.parse(remote).toByteArray(), 24);
  view.setUint32(52, expires, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(56, receiveQueue, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(60, sendQueue, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(68, inode, HOST_IS_LITTLE_ENDIAN);
  return Buffer.concat([bytes, ...(socket.attributes ?? []).map(encodeAttribute)]);
}

/** INET_DIAG_SKMEMINFO: nine u32, of which the last counts drops. */
export function skmeminfo(drops: number): Attribute {
  return { type: 7, payload: new Uint8Array(Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8, drops).buffer) };
}

/** INET_DIAG_SKV6ONLY */
export function v6only(on: boolean): Attribute {
  return { type: 11, payload: Uint8Array.of(on ? 1 : 0) };
}

/** INET_DIAG_CGROUP_ID, which comes unasked. */
export function cgroupId(id: bigint): Attribute {
  return { type: 21, payload: new Uint8Array(BigUint64Array.of(id).buffer) };
}

export function encodeAttribute({ type, payload, claimedLength }: Attribute): Uint8Array {
  const bytes = new Uint8Array(4 + ((payload.length + 3) & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, claimedLength ?? 4 + payload.length, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(2, type, HOST_IS_LITTLE_ENDIAN);
  bytes.set(payload, 4);
  return bytes;
}
