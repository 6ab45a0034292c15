import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState, Timestamps } from '../sockets/record.ts';
import { touchesLoopback } from './address.ts';

/** `include/net/net_namespace.h`: lo is the first device of every namespace. */
const LOOPBACK_IFINDEX = 1;

/**
 * Whether connect() may take over this TIME_WAIT socket's port towards the same destination, as tcp_twsk_unique()
 * (net/ipv4/tcp_ipv4.c) decides: `tcp_tw_reuse` 0 never, 1 always, 2 where an address is a loopback one or the socket is bound to lo; and at
 * least `tcp_tw_reuse_delay` old. bind() never may. False where the age is unknown.
 *
 * The kernel asks whether the connection used TCP timestamps, and goes by an age of its own; BPF tells both. No dump does:
 * there the sysctl tells it of connections made from now on, and where that is off, those made before are counted as lost,
 * so that no more is promised than is given.
 */
export function isReclaimable(record: SocketRecord, sysctls: PortSysctls): boolean {
  if (record.state !== TcpState.TIME_WAIT || !usedTimestamps(record, sysctls)) return false;
  const ageMs = record.reuseAgeMs < 0 ? record.timeWaitAgeMs : record.reuseAgeMs;
  if (ageMs < 0 || ageMs < sysctls.twReuseDelayMs) return false;
  return (
    sysctls.twReuse === 1 ||
    (sysctls.twReuse === 2 && (record.device === LOOPBACK_IFINDEX || touchesLoopback(record)))
  );
}

function usedTimestamps({ timestamps }: SocketRecord, sysctls: PortSysctls): boolean {
  return timestamps === Timestamps.UNKNOWN ? sysctls.timestamps : timestamps === Timestamps.USED;
}
