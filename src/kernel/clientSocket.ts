import ipaddr from 'ipaddr.js';
import {
  AF_INET,
  AF_INET6,
  IP_BIND_ADDRESS_NO_PORT,
  IPPROTO_IP,
  type Libc,
  SO_LINGER,
  SOCK_STREAM,
  SOL_SOCKET,
} from './libc.ts';
import { sockaddrIn, sockaddrIn6 } from './sockaddr.ts';

/**
 * A TCP socket for one connection, not yet connected, in the namespace of the calling thread → its descriptor. Whenever it
 * is closed a connection is reset, so that none is left in TIME_WAIT: not even one that came about unnoticed.
 *
 * @param from an IP address of this machine to connect from. It is bound without a port, which connect() then chooses for
 *   its destination alone (ip(7), IP_BIND_ADDRESS_NO_PORT; IPv6 sockets take it too): a plain bind(address, 0) would take
 *   its port from every other destination. Throws a KernelError, EADDRNOTAVAIL where this machine does not have it.
 */
export function openClientSocket(libc: Libc, family: 4 | 6, from?: string): number {
  const fd = libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, RESET_AT_CLOSE);
    if (from !== undefined) {
      libc.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON);
      libc.bind(fd, anyPortOf(from));
    }
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

const ON = int32s(1);

/** `struct linger` (`linux/socket.h`): int whether, int for how many seconds. */
const RESET_AT_CLOSE = int32s(1, 0);

function int32s(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

function anyPortOf(address: string): Uint8Array {
  const parsed = ipaddr.parse(address);
  const bytes = new Uint8Array(parsed.toByteArray());
  return parsed.kind() === 'ipv6'
    ? sockaddrIn6(bytes, 0)
    : sockaddrIn(new DataView(bytes.buffer).getUint32(0), 0);
}
