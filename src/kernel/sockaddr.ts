import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import { AF_INET, AF_INET6 } from './libc.ts';

/** `struct sockaddr_in` (`linux/in.h`): u16 family, be16 port, be32 address, 8 bytes of nothing. */
export function sockaddrIn(address: number, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(2, port);
  view.setUint32(4, address);
  return bytes;
}

/** `struct sockaddr_in6` (`linux/in6.h`): u16 family, be16 port, u32 flow, 16 bytes of address, u32 scope. */
export function sockaddrIn6(address: ArrayLike<number>, port: number): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET6, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(2, port);
  bytes.set(address, 8);
  return bytes;
}

/** A struct sockaddr_in6 of ::1. */
export function sockaddrIn6Loopback(port: number): Uint8Array {
  return sockaddrIn6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], port);
}
