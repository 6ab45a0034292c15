import { constants } from 'node:os';
import { decodeConntrack } from '../../../src/conntrack/decode.ts';
import { NETLINK_NETFILTER } from '../../../src/conntrack/dump.ts';
import { ConntrackRecord } from '../../../src/conntrack/record.ts';
import { loadLibc } from '../../../src/kernel/libc.ts';
import { type NetlinkSocket, openNetlinkSocket } from '../../../src/kernel/netlink.ts';
import { type Entry, encodeEntry } from '../../conntrack/encode.ts';
import { encodeAttribute } from '../../sockets/netlink/encode.ts';

/** `include/uapi/linux/netfilter/nfnetlink_conntrack.h`: the subsystem, and its messages. */
const NEW = 0x0100;
const GET = 0x0101;
const DELETE = 0x0102;
/** `include/uapi/linux/netlink.h` */
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CREATE = 0x400;
/** IPS_CONFIRMED, IPS_SEEN_REPLY and IPS_ASSURED: the kernel lets nobody take the first away. */
const STATUS = 0xe;
const TIMEOUT_SECONDS = 600;
/** Bytes of one message to the kernel at most, which holds many requests. */
const BATCH_BYTES = 60_000;
const { ENOENT } = constants.errno;

/** Entries of one network namespace's connection tracking, made and looked at without a packet. */
export class TrackedEntries {
  readonly #socket: NetlinkSocket;
  readonly #answer = new Uint8Array(8192);
  readonly #view = new DataView(this.#answer.buffer);

  /** The calling thread must be in that namespace. */
  constructor() {
    this.#socket = openNetlinkSocket(loadLibc(), NETLINK_NETFILTER);
  }

  /** Makes them, as they are or with their source translated (`translated`), or sets the state of those there are. */
  put(entries: Iterable<Entry>): void {
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for (const entry of entries) {
      const payload = encodeEntry({ status: STATUS, timeout: TIMEOUT_SECONDS, ...entry });
      const request = encodeRequest(NEW, NLM_F_REQUEST | NLM_F_CREATE, payload);
      if (bytes + request.length > BATCH_BYTES) {
        this.#sendAll(batch);
        [batch, bytes] = [[], 0];
      }
      batch.push(request);
      bytes += request.length;
    }
    if (batch.length > 0) this.#sendAll(batch);
  }

  /** → the port that its source was translated to; undefined where there is no such entry. */
  natPort(entry: Entry): number | undefined {
    this.#socket.send(encodeRequest(GET, NLM_F_REQUEST, encodeEntry(entry)));
    const length = this.#receive();
    if (this.#view.getUint16(4, true) === NLMSG_ERROR) {
      this.#expectErrno([ENOENT]);
      return undefined;
    }
    const record = new ConntrackRecord();
    decodeConntrack('an entry', this.#view, 16, length, record);
    return record.reply.destinationPort;
  }

  /** → whether there was one. */
  delete(entry: Entry): boolean {
    return this.#delete(encodeEntry(entry));
  }

  deleteAll(): void {
    this.#delete(new Uint8Array(4));
  }

  close(): void {
    this.#socket.close();
  }

  #delete(payload: Uint8Array): boolean {
    this.#socket.send(encodeRequest(DELETE, NLM_F_REQUEST | NLM_F_ACK, payload));
    this.#receive();
    return this.#expectErrno([0, ENOENT]) === 0;
  }

  /** The last is acknowledged; of the others the kernel says no more than what it refuses. */
  #sendAll(requests: readonly Uint8Array[]): void {
    const last = requests.at(-1) as Uint8Array;
    new DataView(last.buffer, last.byteOffset).setUint16(6, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, true);
    this.#socket.send(Buffer.concat(requests));
    this.#receive();
    this.#expectErrno([0]);
  }

  #receive(): number {
    return this.#socket.receive(this.#answer);
  }

  #expectErrno(expected: readonly number[]): number {
    const errno = -this.#view.getInt32(16, true);
    if (!expected.includes(errno)) throw new Error(`connection tracking: errno ${errno}`);
    return errno;
  }
}

/** What makes the kernel translate the source to this address and port (CTA_NAT_SRC). */
export function translated(address: string, port: number): NonNullable<Entry['more']> {
  const to = Uint8Array.from(address.split('.').map(Number));
  const be16 = Uint8Array.of(port >> 8, port & 255);
  const both = (first: number, last: number, payload: Uint8Array) => [
    encodeAttribute({ type: first, payload }),
    encodeAttribute({ type: last, payload }),
  ];
  const ports = encodeAttribute({ type: 3 | 0x8000, payload: Buffer.concat(both(1, 2, be16)) });
  return [{ type: 6 | 0x8000, payload: Buffer.concat([...both(1, 2, to), ports]) }];
}

function encodeRequest(type: number, flags: number, payload: Uint8Array): Uint8Array {
  const message = Buffer.alloc((16 + payload.length + 3) & ~3);
  message.writeUInt32LE(16 + payload.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  message.set(payload, 16);
  return message;
}
