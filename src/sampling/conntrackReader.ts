import { ExporterError, errorLine } from '../base/errors.ts';
import { isRefused } from '../base/ifReadable.ts';
import type { Logger } from '../base/logger.ts';
import { dumpConntrack, NETLINK_NETFILTER } from '../conntrack/dump.ts';
import type { VisitConntrack } from '../conntrack/record.ts';
import { whyDenied } from '../kernel/capabilities.ts';
import { loadLibc } from '../kernel/libc.ts';
import { type NetlinkSocket, openNetlinkSocket } from '../kernel/netlink.ts';

/** Reads tracked connections of whichever namespace the calling thread is in. */
export class ConntrackReader {
  readonly #log: Logger;
  readonly #open: () => NetlinkSocket;
  #isTold = false;

  /** @param log where it says once that it is refused */
  constructor(log: Logger, open = () => openNetlinkSocket(loadLibc(), NETLINK_NETFILTER)) {
    this.#log = log;
    this.#open = open;
  }

  /**
   * Every entry → true. False where that takes a privilege that is missing, which is no failure: who wants no more than the
   * kernel's counts grants none. Throws an ExporterError where not all could be read.
   */
  dump(visit: VisitConntrack): boolean {
    try {
      dumpConntrack(this.#open, visit);
      return true;
    } catch (error) {
      if (!(error instanceof ExporterError) || !isRefused(error.cause)) throw error;
      if (!this.#isTold) {
        const why = `${whyDenied(['CAP_NET_ADMIN'])}: ${errorLine(error)}; --snat.limit=0 disables this`;
        this.#log.info('SNAT ports are not read', { error: why });
      }
      this.#isTold = true;
      return false;
    }
  }
}
