import ipaddr from 'ipaddr.js';
import { HOST_IS_LITTLE_ENDIAN } from '../../../src/kernel/endian.ts';

/** `struct record` of `src/kernel/bpf/walk.h`: what the programs write of it, which is not all of it for each kind. */
export interface KernelRecord {
  readonly kind?: keyof typeof KINDS;
  readonly state?: number;
  readonly flags?: readonly Flag[];
  readonly family?: keyof typeof FAMILIES;
  readonly port?: number;
  readonly remotePort?: number;
  readonly netns?: number;
  readonly device?: number;
  /** Mapped addresses still look mapped here. */
  readonly local?: string;
  /** An address, or what the kind has instead of one. */
  readonly remote?: string | readonly number[];
  readonly inode?: number;
  readonly cgroup?: bigint;
  readonly extra?: number;
}

export type Flag = keyof typeof FLAGS;

export const RECORD_BYTES = 64;

const KINDS = { socket: 0, bucket: 1, address: 2, holder: 4 };
const FAMILIES = { ipv4: 2, ipv6: 10 };
const FLAGS = { v6only: 1, hasFile: 2, timestamps: 4, blocked: 8 };

/** Writes what is given, in host order. The rest stays as the record before left it: the kernel does not clear it either. */
export function encodeRecord(record: KernelRecord, view: DataView): void {
  const { kind, state, flags, family, port, remotePort, netns, device } = record;
  const { local, remote, inode, cgroup, extra } = record;
  const u8 = (at: number, value: number | undefined) => {
    if (value !== undefined) view.setUint8(at, value);
  };
  const u16 = (at: number, value: number | undefined) => {
    if (value !== undefined) view.setUint16(at, value, HOST_IS_LITTLE_ENDIAN);
  };
  const u32 = (at: number, value: number | undefined) => {
    if (value !== undefined) view.setUint32(at, value, HOST_IS_LITTLE_ENDIAN);
  };
  u8(0, state);
  u8(1, kind && KINDS[kind]);
  u8(
    2,
    flags?.reduce((bits, flag) => bits | FLAGS[flag], 0),
  );
  u8(3, family && FAMILIES[family]);
  u16(4, port);
  u16(6, remotePort);
  u32(8, netns);
  u32(12, device);
  for (const [index, word] of wordsOf(local).entries()) u32(16 + 4 * index, word);
  for (const [index, word] of wordsOf(remote).entries()) u32(32 + 4 * index, word);
  u32(48, inode);
  u32(52, cgroup === undefined ? undefined : Number(cgroup & 0xffff_ffffn));
  u32(56, cgroup === undefined ? undefined : Number(cgroup >> 32n));
  u32(60, extra);
}

/** One word of an IPv4 address, four of an IPv6 one. */
function wordsOf(address: string | readonly number[] = []): readonly number[] {
  if (typeof address !== 'string') return address;
  const bytes = new DataView(Uint8Array.from(ipaddr.parse(address).toByteArray()).buffer);
  return Array.from({ length: bytes.byteLength / 4 }, (_, index) => bytes.getUint32(4 * index));
}
