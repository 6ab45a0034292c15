import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Entry } from '../../conntrack/encode.ts';
import type { Nat } from './nat.ts';
import * as posix from './posix.ts';

/** Behind the router's `outer`, where nobody answers. */
export const SILENT = '10.91.2.3';
export const SILENT_PORT = 443;

/** `enum tcp_conntrack` of `include/uapi/linux/netfilter/nf_conntrack_tcp.h`. */
export const TCP_STATE = { ESTABLISHED: 3, TIME_WAIT: 7, CLOSE: 8 } as const;

/** An address of the client that sends SYNs to `SILENT`, each with a sequence number of its own, from any port. */
export class SynProbe {
  readonly #nat: Nat;
  readonly #source: string;
  readonly #fd: number;

  constructor(nat: Nat, source: string) {
    this.#nat = nat;
    this.#source = source;
    const { client, router } = nat;
    const ip = (name: string, ...args: string[]) => execFileSync('ip', ['-n', name, ...args]);
    ip(client.name, 'address', 'replace', `${source}/24`, 'dev', 'link0');
    ip(
      router.name,
      ...['neighbour', 'replace', SILENT, 'lladdr', '02:00:00:00:00:01', 'nud', 'permanent', 'dev', 'outer'],
    );
    this.#fd = client.inside(() => posix.rawTcpSocket(source));
  }

  send(from: number): void {
    posix.sendRaw(this.#fd, SILENT, syn(this.#source, SILENT, from, SILENT_PORT));
  }

  /** → the port that the NAT gave the last SYN from there; undefined where it found none. */
  natPort(from: number): number | undefined {
    return this.#nat.tracked.natPort(this.entry(from));
  }

  /** What is tracked of a SYN from that port. */
  entry(from: number, tcpState?: number): Entry {
    const original = {
      ...{ source: this.#source, destination: SILENT },
      ...{ sourcePort: from, destinationPort: SILENT_PORT },
    };
    return { original, reply: original, protocol: 6, ...(tcpState === undefined ? {} : { tcpState }) };
  }

  close(): void {
    posix.close(this.#fd);
  }
}

/** A TCP header without options, and without data. */
function syn(source: string, destination: string, sourcePort: number, destinationPort: number): Uint8Array {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  randomBytes(4).copy(header, 4);
  header[12] = 5 << 4;
  header[13] = 2;
  header.writeUInt16BE(65_535, 14);
  header.writeUInt16BE(checksum(source, destination, header), 16);
  return header;
}

/** Of a pseudo header, then the segment (RFC 9293). */
function checksum(source: string, destination: string, segment: Buffer): number {
  const bytes = Buffer.concat([
    Buffer.from([source, destination].flatMap((address) => address.split('.').map(Number))),
    Buffer.of(0, 6, segment.length >> 8, segment.length & 255),
    segment,
  ]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
