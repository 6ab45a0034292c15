import { release } from 'node:os';
import { ExporterError, KernelError } from '../../base/errors.ts';
import { AF_INET, AF_INET6, IPPROTO_UDP, type Libc, loadLibc } from '../../kernel/libc.ts';
import { Links } from '../../kernel/links.ts';
import { NetlinkDumper, type NetlinkSocket, openNetlinkSocket } from '../../kernel/netlink.ts';
import { releaseAtLeast } from '../../kernel/release.ts';
import { SocketRecord, TcpState, type Visit } from '../record.ts';
import type { SocketSource } from '../source.ts';
import { bindingShows } from './boundOnly.ts';
import { decodeSocket } from './decode.ts';
import {
  EXT_SKMEMINFO,
  explicitPortRequest,
  legacyTcpRequest,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
  requestV2,
  SOCK_DIAG_BY_FAMILY,
  TCPDIAG_GETSOCK,
} from './request.ts';

const LISTEN_ONLY = 1 << TcpState.LISTEN;
const EVERY_STATE = 0xffffffff;
/** With bit 13 (BOUND_INACTIVE), which kernels before 6.8 ignore without a word. */
const ALL_BUT_LISTEN = (EVERY_STATE & ~LISTEN_ONLY) >>> 0;
/** States of sockets that can tell how their port was chosen: TIME_WAIT and requests have forgotten it. */
const CONNECTED = [
  TcpState.ESTABLISHED,
  TcpState.SYN_SENT,
  TcpState.FIN_WAIT1,
  TcpState.FIN_WAIT2,
  TcpState.CLOSE_WAIT,
  TcpState.LAST_ACK,
  TcpState.CLOSING,
].reduce((states, state) => states | (1 << state), 0);

/**
 * sock_diag over netlink, bound to the network namespace of the calling thread. Throws an ExporterError where the FFI
 * library, the socket or the dump of TCP sockets is refused (ENOENT: the tcp_diag module cannot be loaded).
 *
 * @param seesBoundOnly where it is known from another namespace: it is the same in all, and dear to find out
 */
export function openNetlinkSource(libc: Libc = loadLibc(), seesBoundOnly?: boolean): SocketSource {
  const source = new NetlinkSource(
    () => openNetlinkSocket(libc, NETLINK_SOCK_DIAG),
    new Links(() => openNetlinkSocket(libc, NETLINK_ROUTE)),
    () => openNetlinkSource(libc, source.sees.boundOnly),
  );
  try {
    source.sees.boundOnly = seesBoundOnly ?? bindingShows(libc, source);
  } catch (error) {
    source.close();
    throw error;
  }
  return source;
}

/** Exported for tests, which put a fake kernel behind `open`. */
export class NetlinkSource implements SocketSource {
  readonly kind = 'netlink';
  readonly sees = {
    boundOnly: false,
    /** INET_DIAG_CGROUP_ID, Linux 5.8. */
    cgroups: releaseAtLeast(release(), 5, 8),
    ipv6Only: true,
  };
  readonly openAnother: () => SocketSource;
  readonly #open: () => NetlinkSocket;
  readonly #record = new SocketRecord();
  readonly #links: Links;
  #dumper: NetlinkDumper | undefined;

  /** @param links of the namespace that `open` opens in */
  constructor(open: () => NetlinkSocket, links: Links, openAnother = () => openNetlinkSource()) {
    this.openAnother = openAnother;
    this.#open = open;
    this.#links = links;
    this.#dumper = openDumper(open);
  }

  /** The first walk of every sample: what is known of devices is as old as the sample. */
  tcpListeners(visit: Visit): void {
    this.#links.forget();
    this.#dump('dump of TCP listeners', TCPDIAG_GETSOCK, legacyTcpRequest(LISTEN_ONLY, EXT_SKMEMINFO), visit);
  }

  tcpConnections(visit: Visit): void {
    this.#dump('dump of TCP sockets', TCPDIAG_GETSOCK, legacyTcpRequest(ALL_BUT_LISTEN, 0), visit);
  }

  /** Bound-only sockets alone. As dear as `tcpConnections`: the kernel walks the whole table for them. */
  tcpBoundOnly(visit: Visit): void {
    const states = 2 ** TcpState.BOUND_INACTIVE;
    this.#dump('dump of bound TCP sockets', TCPDIAG_GETSOCK, legacyTcpRequest(states, 0), visit);
  }

  readonly tcpExplicitPorts = (visit: Visit): void => {
    const what = 'dump of TCP sockets with a port chosen by number';
    this.#dump(what, TCPDIAG_GETSOCK, explicitPortRequest(CONNECTED), visit);
  };

  readonly tcpBinds = undefined;
  readonly beginRound = undefined;
  readonly openElsewhere = undefined;
  readonly holdersOf = undefined;
  readonly readSysctls = undefined;

  udp(visit: Visit): void {
    for (const family of [AF_INET, AF_INET6]) {
      const request = requestV2(family, IPPROTO_UDP, EVERY_STATE, EXT_SKMEMINFO);
      this.#dump(`dump of UDP sockets (family ${family})`, SOCK_DIAG_BY_FAMILY, request, visit);
    }
  }

  deviceName(index: number): string {
    return this.#links.of(index).name;
  }

  close(): void {
    this.#closeDumper();
    this.#links.close();
  }

  #closeDumper(): void {
    this.#dumper?.close();
    this.#dumper = undefined;
  }

  #dump(what: string, type: number, payload: Uint8Array, visit: Visit): void {
    this.#dumper ??= openDumper(this.#open);
    const record = this.#record;
    try {
      this.#dumper.dump(what, type, payload, (view, start, end) => {
        decodeSocket(what, view, start, end, record);
        if (record.device !== 0) record.vrf = this.#links.of(record.device).vrf;
        visit(record);
      });
    } catch (error) {
      // The rest of the broken answer is still in the socket: the next dump gets a new one.
      this.#closeDumper();
      throw error;
    }
  }
}

function openDumper(open: () => NetlinkSocket): NetlinkDumper {
  try {
    return new NetlinkDumper(open());
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    throw new ExporterError('opening a netlink socket (NETLINK_SOCK_DIAG)', { cause });
  }
}
