import { ExporterError, KernelError } from '../base/errors.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import { AF_NETLINK, type Libc, MSG_TRUNC, SO_RCVTIMEO, SOCK_RAW, SOL_SOCKET } from './libc.ts';

/** A datagram socket to the kernel. What lies behind it is bytes, so that a test can be the kernel. */
export interface NetlinkSocket {
  send(message: Uint8Array): void;
  /** One datagram → its length, which exceeds the buffer's where it did not fit. Throws a KernelError. */
  receive(into: Uint8Array): number;
  close(): void;
}

/** Called with every message of a dump: its payload is `view` from `start` to `end`. */
export type VisitMessage = (view: DataView, start: number, end: number) => void;

/** struct nlmsghdr, `include/uapi/linux/netlink.h`: u32 len, u16 type, u16 flags, u32 seq, u32 pid. */
const NLMSG_HEADER_BYTES = 16;

/** The kernel fills at most 32 KiB a datagram of a dump. */
const RECEIVE_BYTES = 64 * 1024;
/** A kernel that answers a dump does so at once; one that has not for this long never will. */
const RECEIVE_TIMEOUT_SECONDS = 5;

const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP_FILTERED = 0x20;
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSG_OVERRUN = 4;

/** Opens a netlink socket of `protocol` in the network namespace of the calling thread, to which it belongs for ever. */
export function openNetlinkSocket(libc: Libc, protocol: number): NetlinkSocket {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW, protocol);
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(RECEIVE_TIMEOUT_SECONDS));
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return {
    send: (message) => void libc.send(fd, message, 0),
    receive: (into) => libc.recv(fd, into, MSG_TRUNC),
    close: () => libc.close(fd),
  };
}

/** Every dump of this thread is read into it, whichever namespace's it is: dumps come one after the other. */
const BUFFER = new Uint8Array(RECEIVE_BYTES);
const VIEW = new DataView(BUFFER.buffer);

/** The dumps of one netlink socket: numbers the requests. */
export class NetlinkDumper {
  readonly #socket: NetlinkSocket;
  #sequence = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /**
   * Asks for a dump and visits every message of the answer. `what` names the dump in errors. Throws an ExporterError
   * when the kernel refuses, interrupts, overruns or answers nonsense; the answer was then not whole, and the socket
   * may hold the rest of it: close it.
   */
  dump(what: string, type: number, payload: Uint8Array, visit: VisitMessage): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    try {
      this.#socket.send(dumpRequest(type, this.#sequence, payload));
      while (!this.#readDatagram(what, visit));
    } catch (cause) {
      if (cause instanceof KernelError) throw new ExporterError(what, { cause });
      throw cause;
    }
  }

  close(): void {
    this.#socket.close();
  }

  /** → whether the dump is done. */
  #readDatagram(what: string, visit: VisitMessage): boolean {
    const received = this.#socket.receive(BUFFER);
    if (received > RECEIVE_BYTES)
      throw malformed(what, `a datagram of ${received} bytes, more than ${RECEIVE_BYTES}`);
    if (received < NLMSG_HEADER_BYTES) throw malformed(what, `a datagram of ${received} bytes`);
    const view = VIEW;
    for (let offset = 0; offset < received; ) {
      if (offset + NLMSG_HEADER_BYTES > received) throw malformed(what, `${received - offset} stray bytes`);
      const length = view.getUint32(offset, HOST_IS_LITTLE_ENDIAN);
      const end = offset + length;
      if (length < NLMSG_HEADER_BYTES || end > received) {
        throw malformed(what, `a message of ${length} bytes with ${received - offset} left`);
      }
      // What is left of an earlier dump is not ours.
      if (view.getUint32(offset + 8, HOST_IS_LITTLE_ENDIAN) === this.#sequence) {
        const type = view.getUint16(offset + 4, HOST_IS_LITTLE_ENDIAN);
        expectWhole(what, view.getUint16(offset + 6, HOST_IS_LITTLE_ENDIAN));
        if (type > NLMSG_OVERRUN) visit(view, offset + NLMSG_HEADER_BYTES, end);
        else if (endsDump(what, type, view, offset + NLMSG_HEADER_BYTES, end)) return true;
      }
      offset = (end + 3) & ~3;
    }
    return false;
  }
}

function expectWhole(what: string, flags: number): void {
  if (flags & NLM_F_DUMP_INTR)
    throw new ExporterError(`${what}: interrupted by a change of the table (NLM_F_DUMP_INTR)`);
  // Nobody asks for a filter.
  if (flags & NLM_F_DUMP_FILTERED)
    throw new ExporterError(`${what}: only a part of the table (NLM_F_DUMP_FILTERED)`);
}

/** Control messages: DONE and ERROR begin with an errno, negative or 0. */
function endsDump(what: string, type: number, view: DataView, start: number, end: number): boolean {
  if (type === NLMSG_NOOP) return false;
  if (type === NLMSG_OVERRUN) throw new ExporterError(`${what}: data lost (NLMSG_OVERRUN)`);
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) throw malformed(what, `a message of type ${type}`);
  if (end - start < 4) {
    if (type === NLMSG_DONE) return true;
    throw malformed(what, `an error message of ${end - start} bytes`);
  }
  const error = view.getInt32(start, HOST_IS_LITTLE_ENDIAN);
  if (error < 0) throw new KernelError('the kernel answered', -error);
  if (type === NLMSG_ERROR) throw malformed(what, 'an unrequested acknowledgement');
  return true;
}

/**
 * From the attribute at `at` to the next one: struct nlattr is u16 length with its own 4 bytes, u16 type, payload, padded to
 * 4. Throws an ExporterError where it does not fit.
 */
export function attributeBytes(what: string, view: DataView, at: number, end: number): number {
  const length = view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
  if (length < 4 || at + length > end) {
    throw malformed(what, `an attribute of ${length} bytes with ${end - at} left`);
  }
  return (length + 3) & ~3;
}

export function malformed(what: string, got: string): ExporterError {
  return new ExporterError(`${what}: malformed answer: ${got}`);
}

function dumpRequest(type: number, sequence: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(NLMSG_HEADER_BYTES + payload.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(4, type, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(8, sequence, HOST_IS_LITTLE_ENDIAN);
  message.set(payload, NLMSG_HEADER_BYTES);
  return message;
}

/** struct timeval of a 64-bit kernel. */
function timeval(seconds: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(seconds), HOST_IS_LITTLE_ENDIAN);
  return bytes;
}
