/**
 * One socket as either source reports it: a single reused object that a dump refills for every socket, so that half a
 * million sockets never exist as half a million objects. A visitor must copy what it wants to keep.
 *
 * Addresses are 32-bit words in network order held as *signed* numbers, because V8 keeps those unboxed. An IPv4 address
 * is word 0 alone. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) are already normalised to IPv4 here: they share IPv4's
 * tuples in the kernel; `socketFamily` still tells what the application opened.
 */
export class SocketRecord {
  /** Family the application asked for in socket(): what `ss` prints. */
  socketFamily: Family = 4;
  /** Family of the addresses after normalising mapped ones: the space in which ports collide. */
  family: Family = 4;
  /** A number of `TcpState`; UDP uses ESTABLISHED (connected) and CLOSE (unconnected). */
  state = 0;
  localPort = 0;
  remotePort = 0;
  local0 = 0;
  local1 = 0;
  local2 = 0;
  local3 = 0;
  remote0 = 0;
  remote1 = 0;
  remote2 = 0;
  remote3 = 0;
  /** TIME_WAIT: milliseconds since it began, of 60 000. -1 for every other state and where it is unknown. */
  timeWaitAgeMs = -1;
  /** TIME_WAIT: the age by which connect() decides whether it may take the port over, in milliseconds. -1 where unknown: not from a dump. */
  reuseAgeMs = -1;
  /** TIME_WAIT: a number of `Timestamps`. */
  timestamps: number = Timestamps.UNKNOWN;
  /** An IPv6 socket with IPV6_V6ONLY. False where the source cannot tell (procfs): dual-stack is the kernel's default. */
  v6only = false;
  /** LISTEN: connections waiting for accept(). UDP: bytes waiting to be read. -1 where unknown. */
  receiveQueue = -1;
  /** LISTEN: the backlog limit. -1 where unknown (procfs shows none). */
  backlogLimit = -1;
  /** LISTEN: connections dropped; UDP: datagrams dropped. -1 where unknown. */
  drops = -1;
  /** 0 for TIME_WAIT, request sockets, orphans and connections not yet accepted. */
  inode = 0;
  /** LISTEN and CLOSE, UDP: what tells sockets apart, whichever source reports them: the inode number, which may be given again. */
  id = 0;
  /** Index of the device it is bound to (SO_BINDTODEVICE, a VRF, the link of a link-local address); 0 for none and where unknown (procfs). */
  device = 0;
  /** Index of the VRF that this device is or belongs to; 0 for none. */
  vrf = 0;
  /**
   * The cgroup v2 that the socket was made in, by the inode number of its directory: its lower and upper 32 bits, signed.
   * Both 0 for TIME_WAIT and request sockets, and where the source cannot tell (procfs; kernels before 5.8).
   */
  cgroupLow = 0;
  cgroupHigh = 0;
}

/** Whether a connection used TCP timestamps, without which no TIME_WAIT is reusable. */
export const Timestamps = { UNKNOWN: -1, NOT_USED: 0, USED: 1 } as const;

export type Family = 4 | 6;

/** The 64 bits as a number: inode numbers of cgroup directories stay far below 2 ** 53. 0 for none. */
export function cgroupIdOf({
  cgroupHigh,
  cgroupLow,
}: Pick<SocketRecord, 'cgroupLow' | 'cgroupHigh'>): number {
  return (cgroupHigh >>> 0) * 2 ** 32 + (cgroupLow >>> 0);
}

/** `include/net/tcp_states.h`; LISTEN is 10. BOUND_INACTIVE (13) is reported as 7, CLOSE, by sock_diag. */
export const TcpState = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
  NEW_SYN_RECV: 12,
  BOUND_INACTIVE: 13,
} as const;

/** TCP_TIMEWAIT_LEN of `include/net/tcp.h`: TIME_WAIT lasts 60 s, whatever tcp_fin_timeout says. */
export const TIME_WAIT_MS = 60_000;

/** Called once for every socket of a dump, always with the same record, refilled. */
export type Visit = (record: SocketRecord) => void;
