import ipaddr from 'ipaddr.js';
import type { SocketRecord, Visit } from '../../src/sockets/record.ts';

/** What a record said when it was visited, with its addresses as text. */
export interface Row {
  socketFamily: number;
  family: number;
  state: number;
  local: string;
  remote: string;
  timeWaitAgeMs: number;
  v6only: boolean;
  receiveQueue: number;
  backlogLimit: number;
  drops: number;
  inode: number;
  /** In decimal, 0 where there is none. */
  cgroupId: string;
}

/** Runs one walk, `(visit) => source.udp(visit)`, and keeps all of it. */
export function collect(walk: (visit: Visit) => void): Row[] {
  const rows: Row[] = [];
  walk((record) => rows.push(toRow(record)));
  return rows;
}

export function toRow(record: SocketRecord): Row {
  const { local0, local1, local2, local3, remote0, remote1, remote2, remote3 } = record;
  return {
    socketFamily: record.socketFamily,
    family: record.family,
    state: record.state,
    local: endpoint(record.family, [local0, local1, local2, local3], record.localPort),
    remote: endpoint(record.family, [remote0, remote1, remote2, remote3], record.remotePort),
    timeWaitAgeMs: record.timeWaitAgeMs,
    v6only: record.v6only,
    receiveQueue: record.receiveQueue,
    backlogLimit: record.backlogLimit,
    drops: record.drops,
    inode: record.inode,
    cgroupId: String((BigInt(record.cgroupHigh >>> 0) << 32n) | BigInt(record.cgroupLow >>> 0)),
  };
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
function endpoint(family: number, words: number[], port: number): string {
  const bytes = words
    .slice(0, family === 4 ? 1 : 4)
    .flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
  const address = ipaddr.fromByteArray(bytes);
  return address instanceof ipaddr.IPv6
    ? `[${address.toRFC5952String()}]:${port}`
    : `${address.toString()}:${port}`;
}

export function portOf(text: string): number {
  return Number(text.slice(text.lastIndexOf(':') + 1));
}
