import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';

/** Message types of `include/uapi/linux/inet_diag.h` and `sock_diag.h`. */
export const TCPDIAG_GETSOCK = 18;
export const SOCK_DIAG_BY_FAMILY = 20;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_ROUTE = 0;
export const IPPROTO_UDP = 17;

/** Bit of `idiag_ext` that asks for attribute INET_DIAG_SKMEMINFO (7). */
export const EXT_SKMEMINFO = 1 << 6;

/**
 * struct inet_diag_req: the legacy request, whose answer covers both families in one walk of the table.
 * u8 family, src_len, dst_len, ext; struct inet_diag_sockid id (48 bytes); u32 states; u32 dbs.
 * @param states bit set of 1 << state
 */
export function legacyTcpRequest(states: number, ext: number): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes[3] = ext;
  new DataView(bytes.buffer).setUint32(52, states, HOST_IS_LITTLE_ENDIAN);
  return bytes;
}

/**
 * struct inet_diag_req_v2: one family and protocol.
 * u8 family, protocol, ext, pad; u32 states; struct inet_diag_sockid id (48 bytes).
 */
export function requestV2(family: number, protocol: number, states: number, ext: number): Uint8Array {
  const bytes = new Uint8Array(56);
  bytes[0] = family;
  bytes[1] = protocol;
  bytes[2] = ext;
  new DataView(bytes.buffer).setUint32(4, states, HOST_IS_LITTLE_ENDIAN);
  return bytes;
}
