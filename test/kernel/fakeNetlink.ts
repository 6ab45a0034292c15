import { constants } from 'node:os';
import { KernelError } from '../../src/base/errors.ts';
import { HOST_IS_LITTLE_ENDIAN } from '../../src/kernel/endian.ts';
import type { NetlinkSocket } from '../../src/kernel/netlink.ts';

/** What arrives: the bytes of a datagram, or the errno with which recv() fails. */
export type Arrival = Uint8Array | number;

/** A dump request as a kernel reads it. */
export interface Request {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** A kernel at the level of bytes: keeps every request, and queues what `answer` says to it. */
export class FakeNetlink implements NetlinkSocket {
  readonly requests: Request[] = [];
  closed = false;
  readonly #answer: (request: Request) => readonly Arrival[];
  readonly #queue: Arrival[] = [];

  constructor(answer: (request: Request) => readonly Arrival[]) {
    this.#answer = answer;
  }

  send(bytes: Uint8Array): void {
    const request = parseRequest(bytes);
    this.requests.push(request);
    this.#queue.push(...this.#answer(request));
  }

  /** With nothing left, what SO_RCVTIMEO does. */
  receive(into: Uint8Array): number {
    const next = this.#queue.shift() ?? constants.errno.EAGAIN;
    if (typeof next === 'number') throw new KernelError('recv()', next);
    into.set(next.subarray(0, into.length));
    return next.length;
  }

  close(): void {
    this.closed = true;
  }
}

export interface Message {
  readonly type: number;
  readonly sequence: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  /** What its header says, where that is not the truth. */
  readonly claimedLength?: number;
}

/** `include/uapi/linux/netlink.h` */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP_FILTERED = 0x20;
const NLM_F_MULTI = 2;

/** One datagram of several messages, each padded to 4 bytes. */
export function datagram(...messages: readonly Message[]): Uint8Array {
  return Buffer.concat(messages.map(encodeMessage));
}

/** The end of a dump, with 0 or an errno. */
export function done(sequence: number, errno = 0): Message {
  return { type: NLMSG.DONE, sequence, payload: int32(-errno) };
}

/** A refusal: the errno, then the header of the request. */
export function refusal(sequence: number, errno: number): Message {
  return { type: NLMSG.ERROR, sequence, flags: 0, payload: Buffer.concat([int32(-errno), Buffer.alloc(16)]) };
}

export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, HOST_IS_LITTLE_ENDIAN);
  return bytes;
}

function encodeMessage({ type, sequence, flags, payload, claimedLength }: Message): Uint8Array {
  const length = 16 + (payload?.length ?? 0);
  const bytes = new Uint8Array((length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, claimedLength ?? length, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(4, type, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(6, flags ?? NLM_F_MULTI, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(8, sequence, HOST_IS_LITTLE_ENDIAN);
  if (payload !== undefined) bytes.set(payload, 16);
  return bytes;
}

function parseRequest(bytes: Uint8Array): Request {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    length: view.getUint32(0, HOST_IS_LITTLE_ENDIAN),
    type: view.getUint16(4, HOST_IS_LITTLE_ENDIAN),
    flags: view.getUint16(6, HOST_IS_LITTLE_ENDIAN),
    sequence: view.getUint32(8, HOST_IS_LITTLE_ENDIAN),
    payload: bytes.slice(16),
  };
}
