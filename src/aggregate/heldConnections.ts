import { type Family, SocketRecord, type Visit } from '../sockets/record.ts';

/** Connections to a chunk, so that growing copies nothing. */
const CHUNK = 16_384;
/** 32-bit words of a connection; see `add`. */
const WORDS = 15;

/**
 * The outbound connections of one walk, 60 bytes each, to be looked at again once it is known which destinations matter:
 * a second walk of the kernel's table would be of another moment.
 */
export class HeldConnections {
  readonly #chunks: Int32Array[] = [];
  #size = 0;

  add(record: SocketRecord): void {
    if (this.#size === this.#chunks.length * CHUNK) this.#chunks.push(new Int32Array(CHUNK * WORDS));
    const chunk = this.#chunks[Math.floor(this.#size / CHUNK)] as Int32Array;
    const at = (this.#size % CHUNK) * WORDS;
    chunk[at] = record.family | (record.state << 8);
    chunk[at + 1] = record.localPort | (record.remotePort << 16);
    chunk[at + 2] = record.local0;
    chunk[at + 3] = record.local1;
    chunk[at + 4] = record.local2;
    chunk[at + 5] = record.local3;
    chunk[at + 6] = record.remote0;
    chunk[at + 7] = record.remote1;
    chunk[at + 8] = record.remote2;
    chunk[at + 9] = record.remote3;
    chunk[at + 10] = record.timeWaitAgeMs;
    chunk[at + 11] = record.cgroupLow;
    chunk[at + 12] = record.cgroupHigh;
    chunk[at + 13] = record.inode;
    chunk[at + 14] = record.device;
    this.#size++;
  }

  /** Every connection, with one record refilled; what a connection does not have is as in a new record. */
  replay(visit: Visit): void {
    const record = new SocketRecord();
    for (let index = 0; index < this.#size; index++) {
      const chunk = this.#chunks[Math.floor(index / CHUNK)] as Int32Array;
      fill(record, chunk, (index % CHUNK) * WORDS);
      visit(record);
    }
  }
}

function fill(record: SocketRecord, chunk: Int32Array, at: number): void {
  const word = (offset: number) => chunk[at + offset] as number;
  record.family = (word(0) & 0xff) as Family;
  record.state = word(0) >>> 8;
  record.localPort = word(1) & 0xffff;
  record.remotePort = word(1) >>> 16;
  record.local0 = word(2);
  record.local1 = word(3);
  record.local2 = word(4);
  record.local3 = word(5);
  record.remote0 = word(6);
  record.remote1 = word(7);
  record.remote2 = word(8);
  record.remote3 = word(9);
  record.timeWaitAgeMs = word(10);
  record.cgroupLow = word(11);
  record.cgroupHigh = word(12);
  record.inode = word(13) >>> 0;
  record.device = word(14);
}
