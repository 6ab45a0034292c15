import { release } from 'node:os';
import { ExporterError, KernelError } from '../../base/errors.ts';
import { AF_INET, type Libc, SOCK_STREAM } from '../../kernel/libc.ts';
import { releaseAtLeast } from '../../kernel/release.ts';
import { sockaddrIn } from '../../kernel/sockaddr.ts';
import { readPortSysctls } from '../../kernel/sysctl.ts';
import type { Visit } from '../record.ts';

/**
 * Whether a dump shows sockets that did nothing but bind(): binds one and looks for it. Where none can be bound the
 * kernel's version decides (since 6.8). Throws an ExporterError where the dump is refused.
 */
export function bindingShows(libc: Libc, source: { tcpBoundOnly(visit: Visit): void }): boolean {
  const fd = openSocket(libc);
  try {
    const port = fd === undefined ? undefined : bindSomewhere(libc, fd);
    let shown = false;
    source.tcpBoundOnly((record) => {
      shown ||= record.family === 4 && record.local0 === PROBE_ADDRESS && record.localPort === port;
    });
    return port === undefined ? releaseAtLeast(release(), 6, 8) : shown;
  } finally {
    if (fd !== undefined) libc.close(fd);
  }
}

/** A TCP socket, or undefined where a sandbox permits none. */
function openSocket(libc: Libc): number | undefined {
  try {
    return libc.socket(AF_INET, SOCK_STREAM, 0);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** 127.83.68.13: any loopback address but the usual one, so that nobody's bind() meets ours. */
const PROBE_ADDRESS = 0x7f53440d;

/**
 * An explicit port outside of the ephemeral range: one in it could be a port that others connect from, and kernels before
 * 6.18 would keep that blocked after we have gone.
 */
function bindSomewhere(libc: Libc, fd: number): number | undefined {
  for (const port of portsOutsideOfRange()) {
    try {
      libc.bind(fd, sockaddrIn(PROBE_ADDRESS, port));
      return port;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      // Taken, or no loopback address in this namespace: the next one, or the version, tells.
    }
  }
  return undefined;
}

/**
 * A few unprivileged ones, outside of the range of this thread's own namespace, where the socket is; none where the range
 * takes them all, or cannot be read.
 */
function portsOutsideOfRange(): number[] {
  try {
    const { first, last } = readPortSysctls('/proc').range;
    const below = Array.from({ length: 16 }, (_, index) => 1031 + index);
    const above = Array.from({ length: 16 }, (_, index) => 65_535 - index);
    return [...below, ...above].filter((port) => port < first || port > last).slice(0, 16);
  } catch (error) {
    if (error instanceof ExporterError) return [];
    throw error;
  }
}
