import { release } from 'node:os';
import { KernelError } from '../../base/errors.ts';
import { AF_INET, type Libc, SOCK_STREAM } from '../../kernel/libc.ts';
import { releaseAtLeast } from '../../kernel/release.ts';
import { sockaddrIn } from '../../kernel/sockaddr.ts';
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
 * An explicit port, below every usual ephemeral range: one chosen by bind(0) could be a port that others connect from,
 * and kernels before 6.18 would keep that blocked after we have gone.
 */
function bindSomewhere(libc: Libc, fd: number): number | undefined {
  for (let port = 1031; port < 1031 + 16; port++) {
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
