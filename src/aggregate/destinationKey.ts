import ipaddr from 'ipaddr.js';
import type { Family, SocketRecord } from '../sockets/record.ts';
import { ADDRESS_WORDS, writeLocal, writeRemote } from './address.ts';
import { KeyTable } from './keyTable.ts';

/**
 * Numbers destinations of one family: local address, remote address, remote port, bound device, which is what makes a
 * connection unique (__inet_check_established(), net/ipv4/inet_hashtables.c).
 */
export function newDestinationTable(family: Family): KeyTable {
  return new KeyTable(2 * ADDRESS_WORDS[family] + 2);
}

/** Writes the key of the destination that the record is connected to. */
export function writeDestinationOf(key: Int32Array, record: SocketRecord): void {
  const words = ADDRESS_WORDS[record.family];
  writeLocal(key, 0, record);
  writeRemote(key, words, record);
  key[2 * words] = record.remotePort;
  key[2 * words + 1] = record.device;
}

/** What tells destinations apart, as text. */
export interface DestinationKey {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Index of the device that its sockets are bound to; 0 for none. */
  readonly deviceIndex: number;
}

/** What a device is called, by its index. */
export type DeviceName = (index: number) => string;

/** Writes the key of a destination that is known by its text. */
export function writeDestination(key: Int32Array, family: Family, destination: DestinationKey): void {
  const words = ADDRESS_WORDS[family];
  writeAddress(key, 0, destination.localAddress);
  writeAddress(key, words, destination.remoteAddress);
  key[2 * words] = destination.remotePort;
  key[2 * words + 1] = destination.deviceIndex;
}

function writeAddress(key: Int32Array, at: number, address: string): void {
  key.set(wordsOf(address), at);
}

/** Addresses that were read as text: those that are watched are the same from sample to sample. */
const read = new Map<string, readonly number[]>();
const MOST_READ = 10_000;

function wordsOf(address: string): readonly number[] {
  const known = read.get(address);
  if (known !== undefined) return known;
  const bytes = Uint8Array.from(ipaddr.parse(address).toByteArray());
  const view = new DataView(bytes.buffer);
  const words = Array.from({ length: bytes.length / 4 }, (_, word) => view.getInt32(4 * word));
  if (read.size >= MOST_READ) read.clear();
  read.set(address, words);
  return words;
}
