import { HOST_IS_LITTLE_ENDIAN } from '../../kernel/endian.ts';

/** Message types of `include/uapi/linux/inet_diag.h` and `sock_diag.h`. */
export const TCPDIAG_GETSOCK = 18;
export const SOCK_DIAG_BY_FAMILY = 20;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_ROUTE = 0;

/** Bit of `idiag_ext` that asks for attribute INET_DIAG_SKMEMINFO (7). */
export const EXT_SKMEMINFO = 1 << 6;

/** Bytes of struct inet_diag_req. */
const LEGACY_BYTES = 60;
/** Attribute of a request: a filter that the kernel runs for each socket. */
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_BC_JMP = 1;
const INET_DIAG_BC_AUTO = 6;
/** struct inet_diag_bc_op: u8 code; u8 yes; u16 no, how far to go on in either case. */
const OP_BYTES = 4;

/**
 * struct inet_diag_req: the legacy request, whose answer covers both families in one walk of the table.
 * u8 family, src_len, dst_len, ext; struct inet_diag_sockid id (48 bytes); u32 states; u32 dbs.
 * @param states bit set of 1 << state
 */
export function legacyTcpRequest(states: number, ext: number): Uint8Array {
  const bytes = new Uint8Array(LEGACY_BYTES);
  bytes[3] = ext;
  new DataView(bytes.buffer).setUint32(52, states, HOST_IS_LITTLE_ENDIAN);
  return bytes;
}

/**
 * The same for the sockets alone whose port an application chose by number (SOCK_BINDPORT_LOCK): AUTO holds for all
 * others. To end just behind the program is to accept; the jump goes further, which is to reject (inet_diag_bc_run(),
 * net/ipv4/inet_diag.c).
 */
export function explicitPortRequest(states: number): Uint8Array {
  const bytes = new Uint8Array(LEGACY_BYTES + 4 + 2 * OP_BYTES);
  bytes.set(legacyTcpRequest(states, 0));
  const view = new DataView(bytes.buffer, LEGACY_BYTES);
  view.setUint16(0, 4 + 2 * OP_BYTES, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(2, INET_DIAG_REQ_BYTECODE, HOST_IS_LITTLE_ENDIAN);
  for (const [index, code] of [INET_DIAG_BC_AUTO, INET_DIAG_BC_JMP].entries()) {
    const at = 4 + index * OP_BYTES;
    view.setUint8(at, code);
    view.setUint8(at + 1, OP_BYTES);
    view.setUint16(at + 2, 2 * OP_BYTES, HOST_IS_LITTLE_ENDIAN);
  }
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
