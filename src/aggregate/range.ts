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
  /** Ports outside of the range that a wider one could add: unprivileged and not reserved. */
  readonly addableCount: number;
}

/** What of the range is exported. */
export interface RangeSnapshot {
  readonly first: number;
  readonly last: number;
  readonly reserved: number;
  readonly usable: number;
  /** An odd number of ports in the range: a call can be refused with one port left. */
  readonly leavesOneOut: boolean;
  /** Unprivileged ports that a wider range could add, reserved ones left out. */
  readonly addable: number;
  /** When connect() may take over a TIME_WAIT socket's port. */
  readonly timeWaitReuse: {
    /** `tcp_tw_reuse`: 0 never, 1 always, 2 on loopback. */
    readonly mode: 0 | 1 | 2;
    readonly timestamps: boolean;
    readonly delayMs: number;
  };
}

/** Most namespaces of a host have the same range as the one before: it is made once. */
let latest: { readonly key: string; readonly range: EphemeralRange } | undefined;

/** The range. It is shared among those with equal sysctls: nobody may change it. */
export function ephemeralRange(sysctls: Pick<PortSysctls, 'range' | 'reserved'>): EphemeralRange {
  const key = JSON.stringify([sysctls.range, sysctls.reserved]);
  if (latest?.key !== key) latest = { key, range: newRange(sysctls) };
  return latest.range;
}

function newRange({
  range: { first, last },
  reserved,
}: Pick<PortSysctls, 'range' | 'reserved'>): EphemeralRange {
  const usable = new PortSet(first, last);
  usable.addRange(first, last);
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
    addableCount: countAddable(first, last, reserved),
  };
}

export function rangeSnapshot(range: EphemeralRange, sysctls: PortSysctls): RangeSnapshot {
  return {
    first: range.first,
    last: range.last,
    reserved: range.reservedCount,
    usable: range.usableCount,
    leavesOneOut: range.leavesOneOut,
    addable: range.addableCount,
    timeWaitReuse: {
      mode: sysctls.twReuse,
      timestamps: sysctls.timestamps,
      delayMs: sysctls.twReuseDelayMs,
    },
  };
}

/** From FIRST_UNPRIVILEGED on, neither in the range nor reserved. The reserved pairs may overlap. */
function countAddable(first: number, last: number, reserved: PortSysctls['reserved']): number {
  let count = 0;
  let next = FIRST_UNPRIVILEGED;
  const taken = [...reserved, [first, last] as const].toSorted((a, b) => a[0] - b[0]);
  for (const [from, to] of taken) {
    count += Math.max(0, from - next);
    next = Math.max(next, to + 1);
  }
  return count + Math.max(0, LAST_PORT + 1 - next);
}

const FIRST_UNPRIVILEGED = 1024;
const LAST_PORT = 65_535;
