import { KernelError } from '../base/errors.ts';
import { isShortage } from '../base/ifReadable.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import {
  AF_INET,
  IP_BIND_ADDRESS_NO_PORT,
  IP_LOCAL_PORT_RANGE,
  IPPROTO_IP,
  IPPROTO_TCP,
  type Libc,
  SO_REUSEADDR,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_NO_COOKIE,
} from './libc.ts';
import { sockaddrIn } from './sockaddr.ts';

/** 127.83.68.13 port 9: a destination and a source address that nobody else uses. */
const ADDRESS = 0x7f53440d;
const SOMEWHERE = sockaddrIn(ADDRESS, 9);
const HERE = sockaddrIn(ADDRESS, 0);
/** AF_UNSPEC: connect(2) gives the port back. */
const NOWHERE = new Uint8Array(16);
const ON = new Uint8Array(Int32Array.of(1).buffer);

/**
 * Asks the kernel itself whether a port is blocked for every connect(), in the namespace of the calling thread: a
 * connect() whose range is that one port (IP_LOCAL_PORT_RANGE, Linux 6.3) to a destination that nobody uses is refused if
 * and only if its bind bucket belongs to a bind() (__inet_hash_connect(), net/ipv4/inet_hashtables.c).
 *
 * No packet is sent and no counter moves: with TCP_FASTOPEN_CONNECT the SYN waits for data that never comes
 * (tcp_fastopen_defer_connect()), and the port is given back at once. Meanwhile a connect() of others may have it too; a
 * bind() meets us only where it met the port's holder already. Ask for ports that some socket holds, for no others.
 */
export class BlockedPortQuestions {
  readonly #libc: Libc;
  readonly #fd: number;
  #works = true;

  /** Throws a KernelError where the kernel cannot be asked: before Linux 6.3, or with client fast open switched off. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    try {
      libc.setsockopt(this.#fd, SOL_SOCKET, SO_REUSEADDR, ON);
      libc.setsockopt(this.#fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, ON);
      libc.setsockopt(this.#fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, ON);
      libc.setsockopt(this.#fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON);
      libc.bind(this.#fd, HERE);
    } catch (error) {
      libc.close(this.#fd);
      throw error;
    }
  }

  /** undefined where the kernel gave no answer; it is not asked again then, unless it was short of memory. */
  isBlocked(port: number): boolean | undefined {
    if (!this.#works) return undefined;
    try {
      this.#libc.setsockopt(this.#fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, rangeOfOne(port));
      this.#libc.connect(this.#fd, SOMEWHERE);
      this.#libc.connect(this.#fd, NOWHERE);
      return false;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.code === 'EADDRNOTAVAIL') return true;
      if (isShortage(error)) return undefined;
      this.#works = false;
      return undefined;
    }
  }

  /** Whether every question was answered that the kernel had the memory for. */
  get works(): boolean {
    return this.#works;
  }

  close(): void {
    this.#libc.close(this.#fd);
  }
}

/** u32: the first port in the lower 16 bits, the last in the upper. */
function rangeOfOne(port: number): Uint8Array {
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ((port << 16) | port) >>> 0, HOST_IS_LITTLE_ENDIAN);
  return bytes;
}
