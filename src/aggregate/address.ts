import ipaddr from 'ipaddr.js';
import type { Family, SocketRecord } from '../sockets/record.ts';
import type { KeyTable } from './keyTable.ts';

/** Words an address of `family` takes in a key. */
export const ADDRESS_WORDS = { 4: 1, 6: 4 } as const;

/** Writes the record's local address into `key` at `at`, one word or four. */
export function writeLocal(key: Int32Array, at: number, record: SocketRecord): void {
  key[at] = record.local0;
  if (record.family === 4) return;
  key[at + 1] = record.local1;
  key[at + 2] = record.local2;
  key[at + 3] = record.local3;
}

/** Writes the record's remote address into `key` at `at`, one word or four. */
export function writeRemote(key: Int32Array, at: number, record: SocketRecord): void {
  key[at] = record.remote0;
  if (record.family === 4) return;
  key[at + 1] = record.remote1;
  key[at + 2] = record.remote2;
  key[at + 3] = record.remote3;
}

/** The words of an address as people write it, and its family. */
export function addressWords(text: string): { readonly family: Family; readonly words: readonly number[] } {
  const bytes = new DataView(Uint8Array.from(ipaddr.parse(text).toByteArray()).buffer);
  const family = bytes.byteLength === 4 ? 4 : 6;
  return {
    family,
    words: Array.from({ length: ADDRESS_WORDS[family] }, (_, word) => bytes.getInt32(4 * word)),
  };
}

/** 0.0.0.0 or ::. */
export function isWildcard(record: SocketRecord): boolean {
  return (record.local0 | record.local1 | record.local2 | record.local3) === 0;
}

/** Of fe80::/10: without a device it is no address yet. */
export function isLinkLocal(record: SocketRecord): boolean {
  return record.family === 6 && (record.local0 & 0xffc00000) === (0xfe800000 | 0);
}

/** An address of 127.0.0.0/8 or ::1 on either end: what `tcp_tw_reuse` 2 calls loopback. */
export function touchesLoopback(record: SocketRecord): boolean {
  if (record.family === 4) return record.local0 >>> 24 === 127 || record.remote0 >>> 24 === 127;
  return (
    (record.local0 === 0 && record.local1 === 0 && record.local2 === 0 && record.local3 === 1) ||
    (record.remote0 === 0 && record.remote1 === 0 && record.remote2 === 0 && record.remote3 === 1)
  );
}

/** The address whose words stand in a row's key from `at`, as people write it: `192.0.2.1`, `2001:db8::1` (RFC 5952). */
export function formatAddress(table: KeyTable, row: number, at: number, family: Family): string {
  if (family === 4) return bytesOf(table.word(row, at)).join('.');
  const bytes = [0, 1, 2, 3].flatMap((word) => bytesOf(table.word(row, at + word)));
  return new ipaddr.IPv6(bytes).toRFC5952String();
}

function bytesOf(word: number): number[] {
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];
}
