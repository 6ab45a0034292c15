import { ExporterError, KernelError } from '../base/errors.ts';
import { NetlinkDumper, type NetlinkSocket } from '../kernel/netlink.ts';
import { decodeConntrack } from './decode.ts';
import { ConntrackRecord, type VisitConntrack } from './record.ts';

export const NETLINK_NETFILTER = 12;
/** Subsystem and message: `nfnetlink.h`, and `enum cntl_msg_types` of `nfnetlink_conntrack.h`. */
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
/** struct nfgenmsg: every family, version 0, no resource. */
const EVERY_FAMILY = new Uint8Array(4);

const WHAT = 'dump of tracked connections';
const record = new ConntrackRecord();

/**
 * Every entry of one network namespace, of both families, in one walk of the host's table. Throws an ExporterError where it
 * could not be read whole: what was visited until then must be thrown away.
 *
 * @param open a socket of NETLINK_NETFILTER in that namespace; none stays open between two dumps
 */
export function dumpConntrack(open: () => NetlinkSocket, visit: VisitConntrack): void {
  const dumper = new NetlinkDumper(opened(open));
  try {
    const type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
    dumper.dump(WHAT, type, EVERY_FAMILY, (view, start, end) => {
      decodeConntrack(WHAT, view, start, end, record);
      visit(record);
    });
  } finally {
    dumper.close();
  }
}

function opened(open: () => NetlinkSocket): NetlinkSocket {
  try {
    return open();
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    throw new ExporterError('opening a netlink socket (NETLINK_NETFILTER)', { cause });
  }
}
