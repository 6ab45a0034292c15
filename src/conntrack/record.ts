import type { Family } from '../sockets/record.ts';

/**
 * One entry of the kernel's connection tracking: a single reused object that a dump refills for every entry. A visitor must
 * copy what it wants to keep.
 */
export class ConntrackRecord {
  family: Family = 4;
  /** IPPROTO_*, the same in both directions. */
  protocol = 0;
  /** Bits of `ConntrackStatus`. */
  status = 0;
  /** A number of `TcpConntrackState`; -1 for what is no TCP. */
  tcpState = -1;
  /** Seconds until it expires. */
  timeoutSeconds = 0;
  /** As the first packet was, before anything translated it. */
  readonly original = new ConntrackTuple();
  /** As an answer is, before it is translated back: its destination is the address and port after SNAT. */
  readonly reply = new ConntrackTuple();
}

/** Addresses are 32-bit words in network order held as signed numbers, as in a SocketRecord; IPv4 is word 0 alone. */
export class ConntrackTuple {
  source0 = 0;
  source1 = 0;
  source2 = 0;
  source3 = 0;
  destination0 = 0;
  destination1 = 0;
  destination2 = 0;
  destination3 = 0;
  /** 0 where the protocol has none. */
  sourcePort = 0;
  destinationPort = 0;
  /** Only what is of one zone can be equal. */
  zone = 0;
}

/** `enum ip_conntrack_status` of `include/uapi/linux/netfilter/nf_conntrack_common.h`. */
export const ConntrackStatus = {
  SEEN_REPLY: 1 << 1,
  SRC_NAT: 1 << 4,
  DYING: 1 << 9,
  FIXED_TIMEOUT: 1 << 10,
  OFFLOAD: 1 << 14,
  HW_OFFLOAD: 1 << 15,
} as const;

/** `enum tcp_conntrack` of `include/uapi/linux/netfilter/nf_conntrack_tcp.h`, as far as it matters. */
export const TcpConntrackState = { ESTABLISHED: 3, TIME_WAIT: 7 } as const;

/** Called once for every entry of a dump, always with the same record, refilled. */
export type VisitConntrack = (record: ConntrackRecord) => void;
