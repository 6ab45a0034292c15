import type { PortSysctls } from '../kernel/sysctl.ts';
import { type SocketRecord, TcpState } from '../sockets/record.ts';
import { touchesLoopback } from './address.ts';

/**
 * Whether connect() may take over this TIME_WAIT socket's port towards the same destination, as tcp_twsk_unique()
 * (net/ipv4/tcp_ipv4.c) decides: `tcp_tw_reuse` 0 never, 1 always, 2 on loopback; TCP timestamps on; and at least
 * `tcp_tw_reuse_delay` old. bind() never may. False where the age is unknown.
 */
export function isReclaimable(record: SocketRecord, sysctls: PortSysctls): boolean {
  if (record.state !== TcpState.TIME_WAIT || record.timeWaitAgeMs < sysctls.twReuseDelayMs) return false;
  if (record.timeWaitAgeMs < 0 || !sysctls.timestamps) return false;
  return sysctls.twReuse === 1 || (sysctls.twReuse === 2 && touchesLoopback(record));
}
