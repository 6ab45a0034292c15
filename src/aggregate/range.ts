import type { PortSysctls } from '../kernel/sysctl.ts';
import { PortSet } from './portSet.ts';

/** The candidate ports of automatic choice, U: `ip_local_port_range` minus `ip_local_reserved_ports`. */
export interface EphemeralRange {
  readonly first: number;
  readonly last: number;
  /** U itself. */
  readonly usable: PortSet;
  readonly usableCount: number;
  /** Reserved ports that lie in the range. */
  readonly reservedCount: number;
  /** Parity of the ports that connect() tries first, that of the range's first port; bind(0) tries the other first. */
  readonly preferredParity: number;
  /**
   * With an odd number of ports every call leaves out one port of the preferred parity, the first or the last
   * (`remaining &= ~1U` in __inet_hash_connect(), net/ipv4/inet_hashtables.c).
   */
  readonly leavesOneOut: boolean;
}

/** What of the range is exported. */
export interface RangeSnapshot {
  readonly first: number;
  readonly last: number;
  readonly reserved: number;
  readonly usable: number;
}

export function ephemeralRange({ range: { first, last }, reserved }: PortSysctls): EphemeralRange {
  const usable = new PortSet(first, last);
  for (let port = first; port <= last; port++) usable.add(port);
  for (const [from, to] of reserved) {
    for (let port = Math.max(from, first); port <= Math.min(to, last); port++) usable.delete(port);
  }
  const ports = last - first + 1;
  const usableCount = usable.size;
  return {
    first,
    last,
    usable,
    usableCount,
    reservedCount: ports - usableCount,
    preferredParity: first & 1,
    leavesOneOut: ports > 1 && ports % 2 === 1,
  };
}

export function rangeSnapshot(range: EphemeralRange): RangeSnapshot {
  return { first: range.first, last: range.last, reserved: range.reservedCount, usable: range.usableCount };
}
