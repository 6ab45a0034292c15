import { endianness } from 'node:os';
import { ExporterError, KernelError } from '../base/errors.ts';
import { type Koffi, loadKoffi } from './koffi.ts';

/**
 * The calls of the C library that the exporter makes itself, because Node has none for them. All of them are
 * synchronous and act on the calling thread; a refused one throws a KernelError with its errno.
 */
export interface Libc {
  /** socket(2) → file descriptor, close-on-exec. */
  socket(domain: number, type: number, protocol: number): number;
  /** bind(2); `address` is a whole sockaddr. */
  bind(fd: number, address: Uint8Array): void;
  /** connect(2); `address` is a whole sockaddr. */
  connect(fd: number, address: Uint8Array): void;
  /** setsockopt(2). */
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): void;
  /** send(2) → bytes sent. */
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** sendto(2) → bytes sent; `address` is a whole sockaddr. */
  sendto(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array): number;
  /** recv(2) → bytes received; with MSG_TRUNC, the length of the datagram even where the buffer is shorter. */
  recv(fd: number, into: Uint8Array, flags: number): number;
  /** setns(2): the calling thread's namespace of `type` becomes the one `fd` refers to. */
  setns(fd: number, type: number): void;
  /** close(2); what it returns is of no use to anyone. */
  close(fd: number): void;
}

/** Linux values (`asm-generic/socket.h`, `bits/socket.h`), the same on every architecture Node runs on. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_LINGER = 13;
export const SO_RCVTIMEO = 20;
export const SO_MAX_PACING_RATE = 47;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IP_LOCAL_PORT_RANGE = 51;
export const TCP_FASTOPEN_CONNECT = 30;
export const TCP_FASTOPEN_NO_COOKIE = 34;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const CLONE_NEWNET = 0x40000000;

export const SOCK_CLOEXEC = 0o2000000;
const EINTR = 4;

let loaded: Libc | undefined;

/** The C library this process already has loaded. Throws an ExporterError where the FFI library cannot be loaded. */
export function loadLibc(): Libc {
  loaded ??= bindLibc(loadKoffi());
  return loaded;
}

/** `include/uapi/linux/time.h` */
const CLOCK_THREAD_CPUTIME_ID = 3;
const CLOCK_BOOTTIME = 7;

/** The calling thread's CPU time, in milliseconds. Throws as `readClock` does. */
export function threadCpuTime(): () => number {
  return readClock(CLOCK_THREAD_CPUTIME_ID);
}

/** The time since the machine booted, suspended or not, in milliseconds. Throws as `readClock` does. */
export function bootTime(): () => number {
  return readClock(CLOCK_BOOTTIME);
}

/**
 * clock_gettime(2) in milliseconds. Throws an ExporterError as `loadLibc` does, and on machines of 32 bits, whose struct
 * timespec is another.
 */
function readClock(clock: number): () => number {
  const koffi = loadKoffi();
  if (koffi.sizeof('long') !== 8) throw new ExporterError('clock_gettime(): expected a 64-bit machine');
  const read = koffi.load(null).func('int clock_gettime(int, int64_t *)');
  const timespec = new BigInt64Array(2);
  return () => {
    if (read(clock, timespec) < 0) throw new KernelError('clock_gettime()', koffi.errno());
    const [seconds = 0n, nanoseconds = 0n] = timespec;
    return Number(seconds) * 1000 + Number(nanoseconds) / 1e6;
  };
}

/** `asm-generic/poll.h` */
const POLLOUT = 4;
const POLLFD_BYTES = 8;

/**
 * poll(2) of one descriptor → whether a write would begin at once, be it with an error. Throws an ExporterError as
 * `loadLibc` does.
 */
export function canWrite(fd: number): () => boolean {
  return polled(fd, POLLOUT);
}

/**
 * poll(2) of one descriptor → whether nobody can read any more what is written to it: the other end of a pipe or a socket is
 * closed, or the terminal is gone. Throws an ExporterError as `loadLibc` does.
 */
export function isAbandoned(fd: number): () => boolean {
  // POLLERR and POLLHUP are told without being asked for.
  return polled(fd, 0);
}

function polled(fd: number, events: number): () => boolean {
  const poll = loadKoffi().load(null).func('int poll(uint8_t *, unsigned long, int)');
  // struct pollfd: int fd; short events; short revents
  const asked = new DataView(new ArrayBuffer(POLLFD_BYTES));
  const isLittle = endianness() === 'LE';
  asked.setInt32(0, fd, isLittle);
  asked.setInt16(4, events, isLittle);
  return () => poll(new Uint8Array(asked.buffer), 1, 0) > 0;
}

/** strerror(3) in the C locale: `Connection refused`. Throws an ExporterError as `loadLibc` does. */
export function strerror(errno: number): string {
  return loadKoffi().load(null).func('str strerror(int)')(errno);
}

function bindLibc(koffi: Koffi): Libc {
  // No file name: the symbols come from the C library that Node itself is linked to, glibc or musl.
  const lib = koffi.load(null);
  const socket = lib.func('int socket(int, int, int)');
  const bind = lib.func('int bind(int, uint8_t *, uint32_t)');
  const connect = lib.func('int connect(int, uint8_t *, uint32_t)');
  const setsockopt = lib.func('int setsockopt(int, int, int, uint8_t *, uint32_t)');
  const send = lib.func('intptr_t send(int, uint8_t *, size_t, int)');
  const sendto = lib.func('intptr_t sendto(int, uint8_t *, size_t, int, uint8_t *, uint32_t)');
  const recv = lib.func('intptr_t recv(int, uint8_t *, size_t, int)');
  const setns = lib.func('int setns(int, int)');
  const close = lib.func('int close(int)');

  const checked = (what: string, call: () => number): number => {
    for (;;) {
      const result = call();
      if (result >= 0) return result;
      const errno = koffi.errno();
      if (errno !== EINTR) throw new KernelError(what, errno);
    }
  };
  return {
    socket: (domain, type, protocol) =>
      checked('socket()', () => socket(domain, type | SOCK_CLOEXEC, protocol)),
    bind: (fd, address) => void checked('bind()', () => bind(fd, address, address.length)),
    connect: (fd, address) => void checked('connect()', () => connect(fd, address, address.length)),
    setsockopt: (fd, level, option, value) =>
      void checked('setsockopt()', () => setsockopt(fd, level, option, value, value.length)),
    send: (fd, bytes, flags) => checked('send()', () => send(fd, bytes, bytes.length, flags)),
    sendto: (fd, bytes, flags, address) =>
      checked('sendto()', () => sendto(fd, bytes, bytes.length, flags, address, address.length)),
    recv: (fd, into, flags) => checked('recv()', () => recv(fd, into, into.length, flags)),
    setns: (fd, type) => void checked('setns()', () => setns(fd, type)),
    close: (fd) => void close(fd),
  };
}
