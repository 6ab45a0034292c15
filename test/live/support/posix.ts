import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { sleepMs } from './kernel.ts';

/**
 * System calls as a C program makes them, so that a test meets the kernel's own answer and not a library's. A refused
 * one throws a PosixError with the errno's name.
 */
export class PosixError extends Error {
  readonly code: string;
  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')['default'];
const lib = koffi.load(null);
const calls = {
  socket: lib.func('int socket(int, int, int)'),
  bind: lib.func('int bind(int, uint8_t *, uint32_t)'),
  connect: lib.func('int connect(int, uint8_t *, uint32_t)'),
  listen: lib.func('int listen(int, int)'),
  accept4: lib.func('int accept4(int, uint8_t *, uint32_t *, int)'),
  setsockopt: lib.func('int setsockopt(int, int, int, uint8_t *, uint32_t)'),
  sendto: lib.func('intptr_t sendto(int, uint8_t *, size_t, int, uint8_t *, uint32_t)'),
  recv: lib.func('intptr_t recv(int, uint8_t *, size_t, int)'),
  shutdown: lib.func('int shutdown(int, int)'),
  close: lib.func('int close(int)'),
  ioctl: lib.func('int ioctl(int, unsigned long, uint8_t *)'),
  unshare: lib.func('int unshare(int)'),
  setns: lib.func('int setns(int, int)'),
};

function checked(name: keyof typeof calls, ...args: unknown[]): number {
  const result = Number(calls[name](...args));
  if (result < 0) throw new PosixError(`${name}()`, getSystemErrorName(-koffi.errno()));
  return result;
}

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_MPTCP = 262;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const EINPROGRESS = 115;
const MSG_DONTWAIT = 0x40;
const CLONE_NEWNET = 0x40000000;
const LITTLE = endianness() === 'LE';

export type Type = 'tcp' | 'udp';

/** struct sockaddr_in or sockaddr_in6 of an address as people write it; a mapped one is `::ffff:127.0.0.1`, one of a link `fe80::1%7`. */
function sockaddr(address: string, port: number): Uint8Array {
  const [plain = '', scope = '0'] = address.split('%');
  const isIpv6 = address.includes(':');
  const bytes = new Uint8Array(isIpv6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv6 ? AF_INET6 : AF_INET, LITTLE);
  view.setUint16(2, port);
  bytes.set(isIpv6 ? ipv6Bytes(plain) : plain.split('.').map(Number), isIpv6 ? 8 : 4);
  if (isIpv6) view.setUint32(24, Number(scope), LITTLE);
  return bytes;
}

function ipv6Bytes(address: string): number[] {
  const dotted = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((part) => part.toString(16)).join(':'),
  );
  const [head = '', tail] = dotted.split('::');
  const parts = (text: string) =>
    text === '' ? [] : text.split(':').map((part) => Number.parseInt(part, 16));
  const [before, after] = [parts(head), parts(tail ?? '')];
  const words = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return words.flatMap((word) => [word >> 8, word & 255]);
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, LITTLE);
  return bytes;
}

/** A socket of the family that `address` is written in. */
export function socketFor(
  address: string,
  type: Type,
  { nonBlocking = false, multipath = false } = {},
): number {
  return checked(
    'socket',
    address.includes(':') ? AF_INET6 : AF_INET,
    (type === 'tcp' ? 1 : 2) | SOCK_CLOEXEC | (nonBlocking ? SOCK_NONBLOCK : 0),
    multipath ? IPPROTO_MPTCP : 0,
  );
}

export function bind(fd: number, address: string, port: number): void {
  const bytes = sockaddr(address, port);
  checked('bind', fd, bytes, bytes.length);
}

/** Waits for a route: the kernel makes those of an interface that was just raised, or given an address, a little later. */
export function connect(fd: number, address: string, port: number): void {
  const bytes = sockaddr(address, port);
  for (let waited = 0; ; waited += 5) {
    try {
      checked('connect', fd, bytes, bytes.length);
      return;
    } catch (error) {
      if (!(error instanceof PosixError) || error.code !== 'ENETUNREACH' || waited >= 5000) throw error;
      sleepMs(5);
    }
  }
}

/** connect() of a non-blocking socket, which may still be on its way (EINPROGRESS, which libuv has no name for). */
export function startConnecting(fd: number, address: string, port: number): void {
  const bytes = sockaddr(address, port);
  if (calls.connect(fd, bytes, bytes.length) < 0 && koffi.errno() !== EINPROGRESS) {
    throw new PosixError('connect()', getSystemErrorName(-koffi.errno()));
  }
}

/** sendto() of a datagram, unconnected. */
export function sendTo(fd: number, address: string, port: number, length = 1): void {
  const bytes = sockaddr(address, port);
  checked('sendto', fd, new Uint8Array(length), length, 0, bytes, bytes.length);
}

/** A socket of `address`'s own that sends TCP segments as they are (SOCK_RAW), bound to it. */
export function rawTcpSocket(address: string): number {
  const fd = checked('socket', AF_INET, 3 | SOCK_CLOEXEC, 6);
  bind(fd, address, 0);
  return fd;
}

/** sendto() of these bytes through a raw socket. */
export function sendRaw(fd: number, address: string, bytes: Uint8Array): void {
  const to = sockaddr(address, 0);
  checked('sendto', fd, bytes, bytes.length, 0, to, to.length);
}

/** Takes one datagram → whether there was one. */
export function receive(fd: number): boolean {
  return Number(calls.recv(fd, new Uint8Array(1), 1, MSG_DONTWAIT)) >= 0;
}

/** sendto() that connects, with data in the SYN where the server allows it (MSG_FASTOPEN). */
export function sendFastOpen(fd: number, address: string, port: number): void {
  const bytes = sockaddr(address, port);
  checked('sendto', fd, new Uint8Array(1), 1, 0x20000000, bytes, bytes.length);
}

/** connect() to AF_UNSPEC, which ends a connection or an attempt at one. */
export function disconnect(fd: number): void {
  checked('connect', fd, new Uint8Array(16), 16);
}

/** Both directions. */
export function shutdown(fd: number): void {
  checked('shutdown', fd, 2);
}

export function listen(fd: number, backlog = 4096): void {
  checked('listen', fd, backlog);
}

export function accept(fd: number): number {
  return checked('accept4', fd, null, null, SOCK_CLOEXEC);
}

export function close(fd: number): void {
  calls.close(fd);
}

/** Closes with a reset (SO_LINGER 0), which leaves no TIME_WAIT. */
export function abort(fd: number): void {
  const linger = new Uint8Array(8);
  linger[0] = 1;
  checked('setsockopt', fd, 1, 13, linger, 8);
  close(fd);
}

export function setIpv6Only(fd: number): void {
  checked('setsockopt', fd, 41, 26, int32(1), 4);
}

/** IP_BIND_ADDRESS_NO_PORT, which serves both families. */
export function setBindAddressNoPort(fd: number): void {
  checked('setsockopt', fd, 0, 24, int32(1), 4);
}

/** IP_LOCAL_PORT_RANGE (Linux 6.3), which serves both families. */
export function setLocalPortRange(fd: number, first: number, last: number): void {
  checked('setsockopt', fd, 0, 51, int32((last << 16) | first), 4);
}

/** SO_BINDTODEVICE. */
export function setDevice(fd: number, device: string): void {
  const name = new TextEncoder().encode(`${device}\0`);
  checked('setsockopt', fd, 1, 25, name, name.length);
}

/** TCP_FASTOPEN_CONNECT: a later connect() sends nothing before there are data, if it knows the server's cookie. */
export function setFastOpenConnect(fd: number): void {
  checked('setsockopt', fd, 6, 30, int32(1), 4);
}

/** SO_SNDTIMEO in milliseconds: connect() waits no longer. */
export function setSendTimeout(fd: number, milliseconds: number): void {
  const timeval = new BigInt64Array([
    BigInt(Math.floor(milliseconds / 1000)),
    BigInt((milliseconds % 1000) * 1000),
  ]);
  checked('setsockopt', fd, 1, 21, new Uint8Array(timeval.buffer), 16);
}

/** TCP_SYNCNT: how often a SYN is repeated. */
export function setSynRetries(fd: number, count: number): void {
  checked('setsockopt', fd, 6, 7, int32(count), 4);
}

/** TCP_USER_TIMEOUT in milliseconds: how long what was sent may stay unanswered. */
export function setUserTimeout(fd: number, milliseconds: number): void {
  checked('setsockopt', fd, 6, 18, int32(milliseconds), 4);
}

export function setReusePort(fd: number): void {
  checked('setsockopt', fd, 1, 15, int32(1), 4);
}

/** SO_RCVBUF; the kernel doubles it, and has a least of its own. */
export function setReceiveBuffer(fd: number, bytes: number): void {
  checked('setsockopt', fd, 1, 8, int32(bytes), 4);
}

export function setReuseAddress(fd: number): void {
  checked('setsockopt', fd, 1, 2, int32(1), 4);
}

/** Puts the calling thread into a network namespace of its own → what brings it back. */
export function enterFreshNamespace(): () => void {
  const leave = entering(() => checked('unshare', CLONE_NEWNET));
  raiseLoopback();
  return leave;
}

/** Puts the calling thread into the network namespace behind `path` → what brings it back. */
export function enterNamespace(path: string): () => void {
  return entering(() => {
    const fd = openSync(path, 'r');
    try {
      checked('setns', fd, CLONE_NEWNET);
    } finally {
      closeSync(fd);
    }
  });
}

function entering(enter: () => unknown): () => void {
  const before = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enter();
  } catch (error) {
    closeSync(before);
    throw error;
  }
  return () => {
    checked('setns', before, CLONE_NEWNET);
    closeSync(before);
  };
}

/** struct ifreq: 16 bytes of name, then the flags; SIOCSIFFLAGS with IFF_UP and IFF_RUNNING (netdevice(7)). */
function raiseLoopback(): void {
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode('lo'));
  new DataView(request.buffer).setUint16(16, 0x41, LITTLE);
  const fd = socketFor('127.0.0.1', 'udp');
  try {
    checked('ioctl', fd, 0x8914, request);
  } finally {
    close(fd);
  }
}
